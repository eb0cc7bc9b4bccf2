"""Which options of Lambda's operations are implemented; see `local_sagemaker.protocol.options`."""

from local_sagemaker.protocol.options import Members, Options

NO_EFFECT = {
    "data is not encrypted, because it stays on this machine": "KMSKeyArn SourceKMSKeyArn",
    "functions run in this machine's network, and calls are not traced": "TracingConfig VpcConfig",
    "functions run on this machine's processor and disk": "Architectures EphemeralStorage",
    "a batch is what is in the queue": "MaximumBatchingWindowInSeconds",
}

SHAPES = {
    "CreateFunctionRequest": Members(
        "Runtime Handler Description Timeout MemorySize Environment Tags LoggingConfig SnapStart DeadLetterConfig "
        "Publish",
        refused=(
            "PublishTo Layers FileSystemConfigs CodeSigningConfigArn ImageConfig TenancyConfig "
            "CapacityProviderConfig DurableConfig RuntimeConfig AcceleratorConfig"
        ),
        only={"PackageType": ("Zip",)},
    ),
    "FunctionCode": Members("ZipFile S3Bucket S3Key", refused="S3ObjectVersion S3ObjectStorageMode ImageUri"),
    "Environment": Members("Variables"),
    "LoggingConfig": Members("LogGroup", refused="ApplicationLogLevel SystemLogLevel", only={"LogFormat": ("Text",)}),
    "DeadLetterConfig": Members("", refused="TargetArn"),
    "SnapStart": Members("", only={"ApplyOn": ("None",)}),
    "GetFunctionRequest": Members("Qualifier"),
    "GetFunctionConfigurationRequest": Members("Qualifier"),
    "ListFunctionsRequest": Members("FunctionVersion Marker MaxItems", refused="MasterRegion"),
    "UpdateFunctionCodeRequest": Members(
        "ZipFile S3Bucket S3Key DryRun RevisionId Publish",
        refused="S3ObjectVersion S3ObjectStorageMode ImageUri PublishTo",
    ),
    "UpdateFunctionConfigurationRequest": Members(
        "Role Handler Description Timeout MemorySize Environment Runtime RevisionId LoggingConfig SnapStart "
        "DeadLetterConfig",
        refused=(
            "Layers FileSystemConfigs ImageConfig CapacityProviderConfig DurableConfig RuntimeConfig AcceleratorConfig"
        ),
    ),
    "DeleteFunctionRequest": Members("Qualifier"),
    "InvocationRequest": Members(
        "InvocationType LogType ClientContext Payload Qualifier", refused="DurableExecutionName TenantId"
    ),
    "AddPermissionRequest": Members(
        "SourceArn SourceAccount EventSourceToken Qualifier RevisionId PrincipalOrgID",
        refused="FunctionUrlAuthType InvokedViaFunctionUrl",
    ),
    "RemovePermissionRequest": Members("Qualifier RevisionId"),
    "GetPolicyRequest": Members("Qualifier"),
    "CreateEventSourceMappingRequest": Members(
        "EventSourceArn Enabled BatchSize",
        refused=(
            "FilterCriteria MetricsConfig LoggingConfig ScalingConfig ParallelizationFactor StartingPosition "
            "StartingPositionTimestamp DestinationConfig MaximumRecordAgeInSeconds BisectBatchOnFunctionError "
            "MaximumRetryAttempts Tags TumblingWindowInSeconds Topics Queues SourceAccessConfigurations "
            "SelfManagedEventSource FunctionResponseTypes AmazonManagedKafkaEventSourceConfig "
            "SelfManagedKafkaEventSourceConfig DocumentDBEventSourceConfig ProvisionedPollerConfig"
        ),
    ),
    "UpdateEventSourceMappingRequest": Members(
        "FunctionName Enabled BatchSize",
        refused=(
            "FilterCriteria MetricsConfig LoggingConfig ScalingConfig ParallelizationFactor DestinationConfig "
            "MaximumRecordAgeInSeconds BisectBatchOnFunctionError MaximumRetryAttempts TumblingWindowInSeconds "
            "SourceAccessConfigurations FunctionResponseTypes AmazonManagedKafkaEventSourceConfig "
            "SelfManagedKafkaEventSourceConfig DocumentDBEventSourceConfig ProvisionedPollerConfig"
        ),
    ),
    "ListEventSourceMappingsRequest": Members("EventSourceArn FunctionName Marker MaxItems"),
    "PublishVersionRequest": Members("CodeSha256 Description RevisionId", refused="PublishTo"),
    "ListVersionsByFunctionRequest": Members("Marker MaxItems"),
    "CreateAliasRequest": Members("Description RoutingConfig"),
    "UpdateAliasRequest": Members("FunctionVersion Description RoutingConfig RevisionId"),
    "AliasRoutingConfiguration": Members("AdditionalVersionWeights"),
    "ListAliasesRequest": Members("FunctionVersion Marker MaxItems"),
}

OPTIONS = Options("lambda", SHAPES, NO_EFFECT)
