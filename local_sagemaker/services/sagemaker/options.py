"""Which options of SageMaker's operations are implemented; see `local_sagemaker.protocol.options`."""

from local_sagemaker.protocol.options import Members, Options

NO_EFFECT = {
    "data is not encrypted, because it stays on this machine": "KmsKeyId SecurityConfig VolumeKmsKeyId",
    "jobs and models run in this machine's network": (
        "EnableInterContainerTrafficEncryption EnableNetworkIsolation EnableSSMAccess NetworkConfig RemoteDebugConfig "
        "SessionChainingConfig VpcConfig"
    ),
    "images are not pulled": "ImageConfig TrainingImageConfig",
    "there are no instances to choose, wait for, keep or replace": (
        "CapacityReservationConfig EnableManagedSpotTraining InferenceAmiVersion InfraCheckConfig "
        "InstancePlacementConfig KeepAlivePeriodInSeconds MaxPendingTimeInSeconds MaxWaitTimeInSeconds RetryStrategy "
        "RoutingConfig TrackingServerSize TrainingPlanArn TransformAmiVersion VariantInstanceProvisionTimeoutInSeconds "
        "VolumeSizeInGB"
    ),
    "models are on this machine already": "ModelAccessConfig ModelDataDownloadTimeoutInSeconds",
    "a model package is valid as soon as it is created": "SkipModelValidation",
    "no profile, tensors or trials are collected; the SDK asks for them by default": (
        "DebugHookConfig EnableSageMakerMetricsTimeSeries ExperimentConfig ProfilerConfig ProfilerRuleConfigurations"
    ),
    "files are uploaded at the end of a job": "S3UploadMode",
    "nothing on this machine is maintained at a set time": "WeeklyMaintenanceWindowStart",
    "all buckets belong to one account": "S3BucketOwnerVerification",
    "MLflow's UI on this machine needs no credentials": "ExpiresInSeconds SessionExpirationDurationInSeconds",
    "a repeated request has the same result": "ClientRequestToken ClientToken",
}

IMAGE_INSTEAD = "give the algorithm's TrainingImage"

SHAPES = {
    "CreatePipelineRequest": Members(
        "PipelineDisplayName PipelineDefinition PipelineDefinitionS3Location PipelineDescription Tags "
        "ParallelismConfiguration ClientRequestToken",
        refused="PipelineVersionAliases",
    ),
    "PipelineDefinitionS3Location": Members("VersionId"),
    "UpdatePipelineRequest": Members(
        "PipelineDisplayName PipelineDefinition PipelineDefinitionS3Location PipelineDescription RoleArn "
        "ParallelismConfiguration",
        refused="PipelineVersionAliases",
    ),
    "DescribePipelineRequest": Members("PipelineVersionId", refused="PipelineVersionAlias"),
    "ListPipelinesRequest": Members(
        "PipelineNamePrefix CreatedAfter CreatedBefore SortBy SortOrder NextToken MaxResults ManagedBy"
    ),
    "ListPipelineVersionsRequest": Members("CreatedAfter CreatedBefore SortOrder NextToken MaxResults"),
    "StartPipelineExecutionRequest": Members(
        "PipelineExecutionDisplayName PipelineParameters PipelineExecutionDescription ParallelismConfiguration "
        "SelectiveExecutionConfig PipelineVersionId RoleArn ClientRequestToken MlflowExperimentName",
        refused="PipelineVersionAlias",
    ),
    "SelectiveExecutionConfig": Members("SourcePipelineExecutionArn"),
    "UpdatePipelineExecutionRequest": Members(
        "PipelineExecutionDescription PipelineExecutionDisplayName ParallelismConfiguration"
    ),
    "RetryPipelineExecutionRequest": Members("ParallelismConfiguration ClientRequestToken"),
    "SendPipelineExecutionStepSuccessRequest": Members("OutputParameters ClientRequestToken"),
    "SendPipelineExecutionStepFailureRequest": Members("FailureReason ClientRequestToken"),
    "ListPipelineExecutionsRequest": Members(
        "CreatedAfter CreatedBefore SortBy SortOrder NextToken MaxResults", refused="PipelineVersionAlias"
    ),
    "ListPipelineExecutionStepsRequest": Members("PipelineExecutionArn NextToken MaxResults SortOrder"),
    "ListPipelineParametersForExecutionRequest": Members("NextToken MaxResults"),
    "CreateModelPackageGroupInput": Members("ModelPackageGroupDescription Tags", refused="ManagedConfiguration"),
    "ListModelPackageGroupsInput": Members(
        "CreationTimeAfter CreationTimeBefore MaxResults NameContains NextToken SortBy SortOrder",
        only={"CrossAccountFilterOption": ("SameAccount",)},
    ),
    "CreateModelPackageInput": Members(
        "ModelPackageName ModelPackageGroupName ModelPackageDescription ModelPackageRegistrationType "
        "InferenceSpecification Tags ModelApprovalStatus MetadataProperties ModelMetrics ClientToken Domain Task "
        "SamplePayloadUrl CustomerMetadataProperties DriftCheckBaselines AdditionalInferenceSpecifications SourceUri "
        "ModelCard ModelLifeCycle",
        refused="ValidationSpecification SourceAlgorithmSpecification CertifyForMarketplace ManagedStorageType",
    ),
    "InferenceSpecification": Members(
        "SupportedTransformInstanceTypes SupportedRealtimeInferenceInstanceTypes SupportedContentTypes "
        "SupportedResponseMIMETypes"
    ),
    "ModelPackageContainerDefinition": Members(
        "ContainerHostname Image ImageDigest ModelDataUrl ModelDataSource Environment ModelInput Framework "
        "FrameworkVersion NearestModelName ModelDataETag",
        refused="ProductId AdditionalModelDataSources AdditionalS3DataSource IsCheckpoint BaseModel",
    ),
    "ModelDataSource": Members("S3DataSource"),
    "S3ModelDataSource": Members("ETag ManifestEtag", refused="HubAccessConfig ManifestS3Uri"),
    # recorded, for people and for checks to read
    "MetadataProperties": Members("*"),
    "ModelMetrics": Members("*"),
    "DriftCheckBaselines": Members("*"),
    "AdditionalInferenceSpecificationDefinition": Members(
        "Description SupportedTransformInstanceTypes SupportedRealtimeInferenceInstanceTypes SupportedContentTypes "
        "SupportedResponseMIMETypes"
    ),
    "ModelPackageModelCard": Members("*"),
    "ModelLifeCycle": Members("*"),
    "DescribeModelPackageInput": Members("", only={"IncludedData": ("AllData",)}),
    "UpdateModelPackageInput": Members(
        "ModelApprovalStatus ModelPackageRegistrationType ApprovalDescription CustomerMetadataProperties "
        "CustomerMetadataPropertiesToRemove AdditionalInferenceSpecificationsToAdd InferenceSpecification SourceUri "
        "ModelCard ModelLifeCycle"
    ),
    "ListModelPackagesInput": Members(
        "CreationTimeAfter CreationTimeBefore MaxResults NameContains ModelApprovalStatus ModelPackageGroupName "
        "ModelPackageType NextToken SortBy SortOrder"
    ),
    "CreateProcessingJobRequest": Members("ProcessingInputs ProcessingOutputConfig StoppingCondition Environment Tags"),
    "ProcessingInput": Members(
        "S3Input",
        refused="AppManaged DatasetDefinition",
        instead={
            "AppManaged": "give the data in an S3Input",
            "DatasetDefinition": "write the result of the query to S3 as files, and give them in an S3Input",
        },
    ),
    "ProcessingS3Input": Members(
        "LocalPath S3DataDistributionType", only={"S3InputMode": ("File",), "S3CompressionType": ("None",)}
    ),
    "ProcessingOutput": Members(
        "S3Output AppManaged",
        refused="FeatureStoreOutput",
        instead={"FeatureStoreOutput": "ingest the S3Output's files"},
    ),
    "ProcessingS3Output": Members("LocalPath"),
    "ProcessingClusterConfig": Members(
        "InstanceCount InstanceType", refused="InstancePreferences SelectedInstanceType SelectedInstanceCount"
    ),
    "AppSpecification": Members("ContainerEntrypoint ContainerArguments"),
    "ListProcessingJobsRequest": Members(
        "CreationTimeAfter CreationTimeBefore LastModifiedTimeAfter LastModifiedTimeBefore NameContains StatusEquals "
        "SortBy SortOrder NextToken MaxResults"
    ),
    "CreateTrainingJobRequest": Members(
        "HyperParameters AlgorithmSpecification InputDataConfig ResourceConfig StoppingCondition Tags CheckpointConfig "
        "Environment",
        refused="DebugRuleConfigurations TensorBoardOutputConfig ServerlessJobConfig MlflowConfig ModelPackageConfig",
        instead={
            "TensorBoardOutputConfig": "write the events below /opt/ml/output/data or the checkpoints' LocalPath",
            "ServerlessJobConfig": "give an AlgorithmSpecification and a ResourceConfig",
            "MlflowConfig": "give the script the tracking URI in its Environment",
            "ModelPackageConfig": "call CreateModelPackage with the model artifacts of the job",
        },
    ),
    "AlgorithmSpecification": Members(
        "TrainingImage MetricDefinitions ContainerEntrypoint ContainerArguments",
        refused="AlgorithmName",
        instead={"AlgorithmName": IMAGE_INSTEAD},
        only={"TrainingInputMode": ("File", "FastFile")},
    ),
    "Channel": Members(
        "ContentType",
        refused="ShuffleConfig",
        only={"CompressionType": ("None",), "RecordWrapperType": ("None",), "InputMode": ("File", "FastFile")},
    ),
    "DataSource": Members(
        "S3DataSource",
        refused="FileSystemDataSource DatasetSource",
        instead=dict.fromkeys(
            ("FileSystemDataSource", "DatasetSource"), "copy the data to S3 and give an S3DataSource"
        ),
    ),
    "S3DataSource": Members(
        "S3DataDistributionType",
        refused="AttributeNames InstanceGroupNames HubAccessConfig",
        only={"S3DataType": ("S3Prefix", "ManifestFile")},
    ),
    "OutputDataConfig": Members("CompressionType"),
    "ResourceConfig": Members(
        "InstanceType InstanceCount",
        refused="InstanceGroups InstancePreferences SelectedInstanceType SelectedInstanceCount",
    ),
    "StoppingCondition": Members("MaxRuntimeInSeconds"),
    "CheckpointConfig": Members("LocalPath"),
    "ListTrainingJobsRequest": Members(
        "NextToken MaxResults CreationTimeAfter CreationTimeBefore LastModifiedTimeAfter LastModifiedTimeBefore "
        "NameContains StatusEquals SortBy SortOrder",
        refused="WarmPoolStatusEquals TrainingPlanArnEquals",
    ),
    "CreateTransformJobRequest": Members(
        "MaxConcurrentTransforms ModelClientConfig MaxPayloadInMB BatchStrategy Environment DataCaptureConfig "
        "DataProcessing Tags"
    ),
    "ModelClientConfig": Members("InvocationsTimeoutInSeconds InvocationsMaxRetries"),
    "TransformInput": Members("ContentType CompressionType", only={"SplitType": ("None", "Line")}),
    "TransformS3DataSource": Members("", only={"S3DataType": ("S3Prefix", "ManifestFile")}),
    "TransformOutput": Members("Accept AssembleWith"),
    "BatchDataCaptureConfig": Members("GenerateInferenceId"),
    "DataProcessing": Members("InputFilter OutputFilter JoinSource"),
    "ListTransformJobsRequest": Members(
        "CreationTimeAfter CreationTimeBefore LastModifiedTimeAfter LastModifiedTimeBefore NameContains StatusEquals "
        "SortBy SortOrder NextToken MaxResults"
    ),
    "CreateHyperParameterTuningJobRequest": Members(
        "TrainingJobDefinition WarmStartConfig Tags",
        refused="TrainingJobDefinitions Autotune",
        instead={
            "TrainingJobDefinitions": "start a tuning job for each TrainingJobDefinition",
            "Autotune": "give the ParameterRanges",
        },
    ),
    "HyperParameterTuningJobConfig": Members(
        "Strategy StrategyConfig HyperParameterTuningJobObjective ParameterRanges TrainingJobEarlyStoppingType "
        "RandomSeed",
        refused="TuningJobCompletionCriteria",
    ),
    "HyperParameterTuningJobStrategyConfig": Members("HyperbandStrategyConfig"),
    "HyperbandStrategyConfig": Members("MinResource MaxResource"),
    "ResourceLimits": Members("MaxNumberOfTrainingJobs MaxRuntimeInSeconds"),
    "ParameterRanges": Members(
        "IntegerParameterRanges ContinuousParameterRanges CategoricalParameterRanges", refused="AutoParameters"
    ),
    "IntegerParameterRange": Members("ScalingType"),
    "ContinuousParameterRange": Members("ScalingType"),
    "HyperParameterTrainingJobDefinition": Members(
        "DefinitionName HyperParameterRanges StaticHyperParameters InputDataConfig ResourceConfig CheckpointConfig "
        "Environment HyperParameterTuningResourceConfig",
        refused="TuningObjective",
    ),
    "HyperParameterTuningResourceConfig": Members(
        "InstanceType InstanceCount InstanceConfigs", only={"AllocationStrategy": ("Prioritized",)}
    ),
    "HyperParameterAlgorithmSpecification": Members(
        "TrainingImage MetricDefinitions",
        refused="AlgorithmName",
        instead={"AlgorithmName": IMAGE_INSTEAD},
        only={"TrainingInputMode": ("File", "FastFile")},
    ),
    "ParentHyperParameterTuningJob": Members("HyperParameterTuningJobName"),
    "ListHyperParameterTuningJobsRequest": Members(
        "NextToken MaxResults SortBy SortOrder NameContains CreationTimeAfter CreationTimeBefore LastModifiedTimeAfter "
        "LastModifiedTimeBefore StatusEquals"
    ),
    "ListTrainingJobsForHyperParameterTuningJobRequest": Members("NextToken MaxResults StatusEquals SortBy SortOrder"),
    "CreateModelInput": Members("PrimaryContainer Containers InferenceExecutionConfig ExecutionRoleArn Tags"),
    # a container of Mode MultiModel can be created, but not hosted
    "ContainerDefinition": Members(
        "ContainerHostname Image Mode ModelDataUrl ModelDataSource Environment ModelPackageName",
        refused="AdditionalModelDataSources InferenceSpecificationName MultiModelConfig ContainerMetricsConfig",
        instead={"MultiModelConfig": "host each model on an endpoint of its own"},
    ),
    "InferenceExecutionConfig": Members("", only={"Mode": ("Serial",)}),
    "ListModelsInput": Members(
        "SortBy SortOrder NextToken MaxResults NameContains CreationTimeBefore CreationTimeAfter"
    ),
    "CreateDataQualityJobDefinitionRequest": Members("DataQualityBaselineConfig StoppingCondition Tags"),
    "DataQualityBaselineConfig": Members("BaseliningJobName ConstraintsResource StatisticsResource"),
    "MonitoringConstraintsResource": Members("S3Uri"),
    "MonitoringStatisticsResource": Members("S3Uri"),
    "DataQualityAppSpecification": Members(
        "ContainerEntrypoint ContainerArguments RecordPreprocessorSourceUri PostAnalyticsProcessorSourceUri Environment"
    ),
    "DataQualityJobInput": Members("EndpointInput BatchTransformInput"),
    "EndpointInput": Members(
        "S3DataDistributionType FeaturesAttribute ExcludeFeaturesAttribute InferenceAttribute ProbabilityAttribute "
        "ProbabilityThresholdAttribute StartTimeOffset EndTimeOffset",
        only={"S3InputMode": ("File",)},
    ),
    "BatchTransformInput": Members(
        "S3DataDistributionType FeaturesAttribute ExcludeFeaturesAttribute InferenceAttribute ProbabilityAttribute "
        "ProbabilityThresholdAttribute StartTimeOffset EndTimeOffset",
        only={"S3InputMode": ("File",)},
    ),
    "MonitoringDatasetFormat": Members("Csv Json Parquet"),
    "MonitoringCsvDatasetFormat": Members("Header"),
    "MonitoringJsonDatasetFormat": Members("Line"),
    "ListDataQualityJobDefinitionsRequest": Members(
        "EndpointName SortBy SortOrder NextToken MaxResults NameContains CreationTimeBefore CreationTimeAfter"
    ),
    "CreateModelQualityJobDefinitionRequest": Members("ModelQualityBaselineConfig StoppingCondition Tags"),
    "ModelQualityBaselineConfig": Members("BaseliningJobName ConstraintsResource"),
    "ModelQualityAppSpecification": Members(
        "ContainerEntrypoint ContainerArguments RecordPreprocessorSourceUri PostAnalyticsProcessorSourceUri "
        "ProblemType Environment"
    ),
    "ModelQualityJobInput": Members("EndpointInput BatchTransformInput"),
    "MonitoringGroundTruthS3Input": Members("S3Uri"),
    "ListModelQualityJobDefinitionsRequest": Members(
        "EndpointName SortBy SortOrder NextToken MaxResults NameContains CreationTimeBefore CreationTimeAfter"
    ),
    "CreateModelBiasJobDefinitionRequest": Members("ModelBiasBaselineConfig StoppingCondition Tags"),
    "ModelBiasBaselineConfig": Members("BaseliningJobName ConstraintsResource"),
    "ModelBiasAppSpecification": Members("Environment"),
    "ModelBiasJobInput": Members("EndpointInput BatchTransformInput"),
    "ListModelBiasJobDefinitionsRequest": Members(
        "EndpointName SortBy SortOrder NextToken MaxResults NameContains CreationTimeBefore CreationTimeAfter"
    ),
    "CreateModelExplainabilityJobDefinitionRequest": Members(
        "ModelExplainabilityBaselineConfig StoppingCondition Tags"
    ),
    "ModelExplainabilityBaselineConfig": Members("BaseliningJobName ConstraintsResource"),
    "ModelExplainabilityAppSpecification": Members("Environment"),
    "ModelExplainabilityJobInput": Members("EndpointInput BatchTransformInput"),
    "ListModelExplainabilityJobDefinitionsRequest": Members(
        "EndpointName SortBy SortOrder NextToken MaxResults NameContains CreationTimeBefore CreationTimeAfter"
    ),
    "CreateMonitoringScheduleRequest": Members("Tags"),
    "MonitoringScheduleConfig": Members(
        "ScheduleConfig MonitoringJobDefinition MonitoringJobDefinitionName",
        only={"MonitoringType": ("DataQuality", "ModelQuality", "ModelBias", "ModelExplainability")},
    ),
    "ScheduleConfig": Members("DataAnalysisStartTime DataAnalysisEndTime"),
    "MonitoringJobDefinition": Members("BaselineConfig StoppingCondition Environment"),
    "MonitoringBaselineConfig": Members("BaseliningJobName ConstraintsResource StatisticsResource"),
    "MonitoringInput": Members("EndpointInput BatchTransformInput"),
    "MonitoringAppSpecification": Members(
        "ContainerEntrypoint ContainerArguments RecordPreprocessorSourceUri PostAnalyticsProcessorSourceUri"
    ),
    "ListMonitoringSchedulesRequest": Members(
        "EndpointName SortBy SortOrder NextToken MaxResults NameContains CreationTimeBefore CreationTimeAfter "
        "LastModifiedTimeBefore LastModifiedTimeAfter StatusEquals MonitoringJobDefinitionName MonitoringTypeEquals"
    ),
    "ListMonitoringExecutionsRequest": Members(
        "MonitoringScheduleName EndpointName SortBy SortOrder NextToken MaxResults ScheduledTimeBefore "
        "ScheduledTimeAfter CreationTimeBefore CreationTimeAfter LastModifiedTimeBefore LastModifiedTimeAfter "
        "StatusEquals MonitoringJobDefinitionName MonitoringTypeEquals"
    ),
    "CreateEndpointConfigInput": Members(
        "DataCaptureConfig ExplainerConfig Tags ExecutionRoleArn",
        refused="AsyncInferenceConfig ShadowProductionVariants MetricsConfig CrossRegionTrafficConfig",
        instead={
            "AsyncInferenceConfig": "invoke a real-time endpoint, or run a transform job for many or large inputs",
            "ShadowProductionVariants": "compare models as production variants, with TargetVariant in the invocations",
        },
    ),
    "ExplainerConfig": Members("ClarifyExplainerConfig"),
    "ClarifyExplainerConfig": Members("EnableExplanations InferenceConfig"),
    "ClarifyInferenceConfig": Members(
        "FeaturesAttribute ContentTemplate MaxRecordCount MaxPayloadInMB ProbabilityIndex LabelIndex "
        "ProbabilityAttribute LabelAttribute LabelHeaders FeatureHeaders",
        refused="FeatureTypes",
    ),
    "ClarifyShapConfig": Members("NumberOfSamples UseLogit Seed", refused="TextConfig"),
    "ClarifyShapBaselineConfig": Members("MimeType ShapBaseline ShapBaselineUri"),
    "ProductionVariant": Members(
        "ModelName InitialInstanceCount InstanceType InitialVariantWeight ServerlessConfig "
        "ContainerStartupHealthCheckTimeoutInSeconds",
        refused="InstancePools AcceleratorType CoreDumpConfig ManagedInstanceScaling AcceleratorPartitionLayouts",
    ),
    "ProductionVariantServerlessConfig": Members("ProvisionedConcurrency"),
    "DataCaptureConfig": Members("EnableCapture CaptureContentTypeHeader"),
    "CaptureContentTypeHeader": Members("CsvContentTypes JsonContentTypes"),
    "ListEndpointConfigsInput": Members(
        "SortBy SortOrder NextToken MaxResults NameContains CreationTimeBefore CreationTimeAfter"
    ),
    "CreateEndpointInput": Members("DeploymentConfig Tags"),
    "DeploymentConfig": Members("BlueGreenUpdatePolicy RollingUpdatePolicy AutoRollbackConfiguration"),
    "BlueGreenUpdatePolicy": Members("TerminationWaitInSeconds MaximumExecutionTimeoutInSeconds"),
    "TrafficRoutingConfig": Members("CanarySize LinearStepSize"),
    "RollingUpdatePolicy": Members("MaximumExecutionTimeoutInSeconds", refused="RollbackMaximumBatchSize"),
    "AutoRollbackConfig": Members("Alarms"),
    "Alarm": Members("AlarmName"),
    "ListEndpointsInput": Members(
        "SortBy SortOrder NextToken MaxResults NameContains CreationTimeBefore CreationTimeAfter "
        "LastModifiedTimeBefore LastModifiedTimeAfter StatusEquals"
    ),
    "UpdateEndpointInput": Members(
        "RetainAllVariantProperties ExcludeRetainedVariantProperties DeploymentConfig RetainDeploymentConfig"
    ),
    "DesiredWeightAndCapacity": Members("DesiredWeight DesiredInstanceCount ServerlessUpdateConfig"),
    "ProductionVariantServerlessUpdateConfig": Members("MaxConcurrency ProvisionedConcurrency"),
    "SearchRequest": Members(
        "SearchExpression SortBy SortOrder NextToken MaxResults",
        refused="VisibilityConditions",
        only={"CrossAccountFilterOption": ("SameAccount",)},
    ),
    "SearchExpression": Members("Filters NestedFilters SubExpressions Operator"),
    "Filter": Members("Operator Value"),
    "CreateMlflowAppRequest": Members(
        "AccountDefaultStatus Tags",
        refused="DefaultDomainIdList",
        instead={"DefaultDomainIdList": "set AccountDefaultStatus to ENABLED"},
        only={"ModelRegistrationMode": ("AutoModelRegistrationDisabled",)},
    ),
    "ListMlflowAppsRequest": Members(
        "CreatedAfter CreatedBefore Status MlflowVersion AccountDefaultStatus SortBy SortOrder NextToken MaxResults",
        refused="DefaultForDomainId",
    ),
    "UpdateMlflowAppRequest": Members(
        "Name ArtifactStoreUri AccountDefaultStatus",
        refused="DefaultDomainIdList",
        instead={"DefaultDomainIdList": "set AccountDefaultStatus to ENABLED"},
        only={"ModelRegistrationMode": ("AutoModelRegistrationDisabled",)},
    ),
    "CreateMlflowTrackingServerRequest": Members(
        "MlflowVersion S3BucketOwnerAccountId Tags", only={"AutomaticModelRegistration": (False,)}
    ),
    "ListMlflowTrackingServersRequest": Members(
        "CreatedAfter CreatedBefore TrackingServerStatus MlflowVersion SortBy SortOrder NextToken MaxResults"
    ),
    "UpdateMlflowTrackingServerRequest": Members(
        "ArtifactStoreUri S3BucketOwnerAccountId", only={"AutomaticModelRegistration": (False,)}
    ),
    "ListTagsInput": Members("NextToken MaxResults"),
    "CreateFeatureGroupRequest": Members(
        "OnlineStoreConfig OfflineStoreConfig ThroughputConfig RoleArn Description Tags"
    ),
    "FeatureDefinition": Members("CollectionType CollectionConfig"),
    "CollectionConfig": Members("VectorConfig"),
    # encryption and throughput are recorded
    "OnlineStoreConfig": Members("SecurityConfig EnableOnlineStore TtlDuration StorageType"),
    "OnlineStoreSecurityConfig": Members("KmsKeyId"),
    "TtlDuration": Members("Unit Value"),
    "OfflineStoreConfig": Members(
        "DisableGlueTableCreation DataCatalogConfig", only={"TableFormat": ("Default", "Glue")}
    ),
    "S3StorageConfig": Members("KmsKeyId ResolvedOutputS3Uri"),
    "ThroughputConfig": Members("ProvisionedReadCapacityUnits ProvisionedWriteCapacityUnits"),
    "DescribeFeatureGroupRequest": Members("NextToken"),
    "ListFeatureGroupsRequest": Members(
        "NameContains FeatureGroupStatusEquals OfflineStoreStatusEquals CreationTimeAfter CreationTimeBefore SortOrder "
        "SortBy MaxResults NextToken"
    ),
    "UpdateFeatureGroupRequest": Members("FeatureAdditions OnlineStoreConfig ThroughputConfig"),
    "OnlineStoreConfigUpdate": Members("TtlDuration", refused="StorageType"),
    "ThroughputConfigUpdate": Members("ThroughputMode ProvisionedReadCapacityUnits ProvisionedWriteCapacityUnits"),
    "UpdateFeatureMetadataRequest": Members("Description ParameterAdditions ParameterRemovals"),
    "FeatureParameter": Members("Key Value"),
}

OPTIONS = Options("sagemaker", SHAPES, NO_EFFECT)
