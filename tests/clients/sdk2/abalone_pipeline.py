"""The pipeline of AWS's notebooks: preprocess, train XGBoost, evaluate, and if it is accurate, register and predict."""

import json
from pathlib import Path

import boto3
import numpy as np
import sagemaker
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput, TransformInput
from sagemaker.model import Model
from sagemaker.model_metrics import MetricsSource, ModelMetrics
from sagemaker.processing import ProcessingInput, ProcessingOutput, ScriptProcessor
from sagemaker.sklearn.processing import SKLearnProcessor
from sagemaker.transformer import Transformer
from sagemaker.workflow.condition_step import ConditionStep
from sagemaker.workflow.conditions import ConditionLessThanOrEqualTo
from sagemaker.workflow.fail_step import FailStep
from sagemaker.workflow.functions import Join, JsonGet
from sagemaker.workflow.model_step import ModelStep
from sagemaker.workflow.parameters import ParameterFloat, ParameterInteger, ParameterString
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.properties import PropertyFile
from sagemaker.workflow.steps import CacheConfig, ProcessingStep, TrainingStep, TransformStep

NAME = "abalone-sdk2"
PREPROCESS = """
import numpy as np
rows = np.loadtxt("/opt/ml/processing/input/abalone.csv", delimiter=",")
for name, part in zip(("train", "validation", "test"), np.split(rows, [700, 850])):
    np.savetxt(f"/opt/ml/processing/{name}/{name}.csv", part, delimiter=",")
np.savetxt("/opt/ml/processing/batch/batch.csv", rows[850:, 1:], delimiter=",")
"""
EVALUATE = """
import json, pickle, tarfile
import numpy as np
import xgboost
with tarfile.open("/opt/ml/processing/model/model.tar.gz") as tar:
    tar.extractall(".")
model = pickle.load(open("xgboost-model", "rb"))
rows = np.loadtxt("/opt/ml/processing/test/test.csv", delimiter=",")
errors = rows[:, 0] - model.predict(xgboost.DMatrix(rows[:, 1:]))
report = {"regression_metrics": {"mse": {"value": float((errors**2).mean())}}}
json.dump(report, open("/opt/ml/processing/evaluation/evaluation.json", "w"))
"""

session = PipelineSession()
role, bucket, region = sagemaker.get_execution_role(), session.default_bucket(), session.boto_region_name

random = np.random.default_rng(0)
sizes = random.uniform(0.1, 0.7, size=(1000, 7))
np.savetxt("abalone.csv", np.column_stack([20 * sizes[:, 0] + random.normal(size=1000), sizes]), delimiter=",")
Path("preprocess.py").write_text(PREPROCESS)
Path("evaluate.py").write_text(EVALUATE)

count = ParameterInteger("ProcessingInstanceCount", default_value=1)
status = ParameterString("ModelApprovalStatus", default_value="PendingManualApproval")
threshold = ParameterFloat("MseThreshold", default_value=6.0)
data = ParameterString(
    "InputData", default_value=sagemaker.s3.S3Uploader.upload("abalone.csv", f"s3://{bucket}/{NAME}/input")
)

cache = CacheConfig(enable_caching=True, expire_after="P1D")
processor = SKLearnProcessor(
    framework_version="1.2-1",
    instance_type="ml.m5.xlarge",
    instance_count=count,
    base_job_name=f"{NAME}-preprocess",
    role=role,
    sagemaker_session=session,
)
preprocess = ProcessingStep(
    "PreprocessAbaloneData",
    step_args=processor.run(
        code="preprocess.py",
        inputs=[ProcessingInput(source=data, destination="/opt/ml/processing/input")],
        outputs=[
            ProcessingOutput(output_name=name, source=f"/opt/ml/processing/{name}")
            for name in ("train", "validation", "test", "batch")
        ],
    ),
    cache_config=cache,
)
outputs = preprocess.properties.ProcessingOutputConfig.Outputs

image = sagemaker.image_uris.retrieve(
    "xgboost", region, version="1.0-1", py_version="py3", instance_type="ml.m5.xlarge"
)
estimator = Estimator(
    image_uri=image,
    instance_type="ml.m5.xlarge",
    instance_count=1,
    output_path=f"s3://{bucket}/{NAME}/models",
    role=role,
    sagemaker_session=session,
)
estimator.set_hyperparameters(objective="reg:linear", num_round=50, max_depth=5, eta=0.2, subsample=0.7)
train = TrainingStep(
    "TrainAbaloneModel",
    step_args=estimator.fit(
        {
            channel: TrainingInput(s3_data=outputs[channel].S3Output.S3Uri, content_type="text/csv")
            for channel in ("train", "validation")
        }
    ),
    cache_config=cache,
)
artifacts = train.properties.ModelArtifacts.S3ModelArtifacts

evaluator = ScriptProcessor(
    image_uri=image,
    command=["python3"],
    instance_type="ml.m5.xlarge",
    instance_count=1,
    base_job_name=f"{NAME}-evaluate",
    role=role,
    sagemaker_session=session,
)
report = PropertyFile(name="EvaluationReport", output_name="evaluation", path="evaluation.json")
evaluate = ProcessingStep(
    "EvaluateAbaloneModel",
    step_args=evaluator.run(
        code="evaluate.py",
        inputs=[
            ProcessingInput(source=artifacts, destination="/opt/ml/processing/model"),
            ProcessingInput(source=outputs["test"].S3Output.S3Uri, destination="/opt/ml/processing/test"),
        ],
        outputs=[ProcessingOutput(output_name="evaluation", source="/opt/ml/processing/evaluation")],
    ),
    property_files=[report],
    cache_config=cache,
)

model = Model(image_uri=image, model_data=artifacts, role=role, sagemaker_session=session)
evaluation = evaluate.arguments["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"]
register = ModelStep(
    "Register",
    step_args=model.register(
        content_types=["text/csv"],
        response_types=["text/csv"],
        inference_instances=["ml.m5.xlarge"],
        transform_instances=["ml.m5.xlarge"],
        model_package_group_name=NAME,
        approval_status=status,
        model_metrics=ModelMetrics(
            model_statistics=MetricsSource(
                s3_uri=Join(on="/", values=[evaluation, "evaluation.json"]), content_type="application/json"
            )
        ),
    ),
)
create = ModelStep("Create", step_args=model.create(instance_type="ml.m5.xlarge"))
transformer = Transformer(
    model_name=create.properties.ModelName,
    instance_type="ml.m5.xlarge",
    instance_count=1,
    output_path=f"s3://{bucket}/{NAME}/predictions",
    sagemaker_session=session,
)
batch = TransformInput(data=outputs["batch"].S3Output.S3Uri)
transform = TransformStep(
    "Transform", step_args=transformer.transform(batch.data, content_type="text/csv", split_type="Line")
)
fail = FailStep("MseTooHigh", error_message=Join(on=" ", values=["Execution failed: MSE >", threshold]))
check = ConditionStep(
    "CheckMse",
    conditions=[
        ConditionLessThanOrEqualTo(
            left=JsonGet(step_name=evaluate.name, property_file=report, json_path="regression_metrics.mse.value"),
            right=threshold,
        )
    ],
    if_steps=[register, create, transform],
    else_steps=[fail],
)

pipeline = Pipeline(
    NAME,
    parameters=[count, status, threshold, data],
    steps=[preprocess, train, evaluate, check],
    sagemaker_session=session,
)
pipeline.upsert(role_arn=role)
execution = pipeline.start()
execution.wait(delay=1, max_attempts=120)
steps = {step["StepName"]: step["StepStatus"] for step in execution.list_steps()}
assert set(steps.values()) == {"Succeeded"}, execution.list_steps()
assert {"Register-RegisterModel", "Create-CreateModel", "Transform"} <= set(steps), steps

sm = boto3.client("sagemaker")
(package,) = sm.list_model_packages(ModelPackageGroupName=NAME)["ModelPackageSummaryList"]
assert package["ModelApprovalStatus"] == "PendingManualApproval"
described = sm.describe_model_package(ModelPackageName=package["ModelPackageArn"])
uri = described["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]
mse = json.loads(sagemaker.s3.S3Downloader.read_file(uri))["regression_metrics"]["mse"]["value"]
assert 0 < mse <= 6
predictions = sagemaker.s3.S3Downloader.read_file(f"s3://{bucket}/{NAME}/predictions/batch.csv.out")
assert len(predictions.replace(",", "\n").split()) == 150

# with a stricter threshold the cached results end at the Fail step, with its message
strict = pipeline.start(parameters={"MseThreshold": 0.0001})
try:
    strict.wait(delay=1, max_attempts=120)
except Exception:
    ended = {step["StepName"]: step for step in strict.list_steps()}
    assert ended["MseTooHigh"]["FailureReason"] == "Execution failed: MSE > 0.0001", ended
    assert "CacheHitResult" in ended["TrainAbaloneModel"], ended
else:
    raise AssertionError("the execution should have failed")
