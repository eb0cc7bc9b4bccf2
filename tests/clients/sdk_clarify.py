"""What users of the SageMaker SDK do with Clarify, as a program: `python sdk_clarify.py`, in a folder of its own.

It trains an XGBoost and a LightGBM model that favour men, explains them and measures their bias, and monitors an
endpoint to which more women than before apply. The program does not refer to the local SageMaker, which it only uses
through environment variables. It prints one line of JSON.
"""

import contextlib
import io
import json
import tarfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import lightgbm as lgb
import numpy as np
import sdk_surroundings  # noqa: F401
import xgboost as xgb
from sagemaker.core import image_uris
from sagemaker.core.clarify import (
    BiasConfig,
    DataConfig,
    ModelConfig,
    ModelPredictedLabelConfig,
    SageMakerClarifyProcessor,
    SHAPConfig,
)
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.model_monitor import (
    CronExpressionGenerator,
    EndpointInput,
    ModelBiasMonitor,
    ModelExplainabilityMonitor,
    ModelMonitor,
)
from sagemaker.mlops.workflow.check_job_config import CheckJobConfig
from sagemaker.mlops.workflow.clarify_check_step import (
    ClarifyCheckStep,
    DataBiasCheckConfig,
    ModelBiasCheckConfig,
    ModelExplainabilityCheckConfig,
)
from sagemaker.mlops.workflow.pipeline import Pipeline

ROLE = "arn:aws:iam::123456789012:role/SageMakerExecutionRole"
HEADERS = ["approved", "sex", "income", "age", "region"]
SERVE = """
import lightgbm, numpy, os
def model_fn(model_dir):
    return lightgbm.Booster(model_file=os.path.join(model_dir, "model.txt"))
def input_fn(body, content_type):
    return numpy.loadtxt(body.splitlines(), delimiter=",", ndmin=2)
def predict_fn(rows, model):
    return model.predict(rows)
def output_fn(scores, accept):
    return "".join(f"{score}\\n" for score in scores), accept
"""

session = Session()
bucket = session.default_bucket()
sagemaker, s3 = session.sagemaker_client, session.boto_session.client("s3")
common: dict[str, Any] = {
    "role": ROLE,
    "instance_count": 1,
    "instance_type": "ml.m5.xlarge",
    "sagemaker_session": session,
}


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition, polling more often than the SDK does."""
    deadline = time.monotonic() + 240
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def applicants(women: float, seed: int, rows: int = 300) -> np.ndarray:
    """Applicants as rows of HEADERS; a man (0) needs less income than a woman (1)."""
    random = np.random.default_rng(seed)
    sex = random.random(rows) < women
    income, age, region = random.normal(40, 10, rows), random.integers(18, 80, rows), random.integers(0, 3, rows)
    approved = income + random.normal(0, 2, rows) > 36 + 10 * sex
    return np.column_stack([approved, sex, income.round(2), age, region]).astype(float)


def text(rows: np.ndarray) -> str:
    return "".join(",".join(f"{value:g}" for value in row) + "\n" for row in rows)


def put(key: str, body: str | bytes) -> str:
    s3.put_object(Bucket=bucket, Key=key, Body=body)
    return f"s3://{bucket}/{key}"


def create_model(name: str, framework: str, version: str, files: dict[str, bytes]) -> str:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    image = image_uris.retrieve(framework, session.boto_region_name, version, instance_type="ml.m5.xlarge")
    container = {"Image": image, "ModelDataUrl": put(f"models/{name}/model.tar.gz", archive.getvalue())}
    sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container)
    return name


def finished(name: str, output: str) -> dict[str, Any]:
    """Wait for a processing job; its analysis.json."""
    until(lambda: status(name) not in ("InProgress", "Stopping"))
    assert status(name) == "Completed", sagemaker.describe_processing_job(ProcessingJobName=name).get("FailureReason")
    return read(f"{output}/analysis.json")


def status(name: str) -> str:
    return str(sagemaker.describe_processing_job(ProcessingJobName=name)["ProcessingJobStatus"])


def read(key: str) -> dict[str, Any]:
    body = s3.get_object(Bucket=bucket, Key=key.removeprefix(f"s3://{bucket}/"))["Body"].read()
    return dict(json.loads(body))


def metrics(analysis: dict[str, Any], stage: str) -> dict[str, float]:
    [facet] = analysis[f"{stage}_bias_metrics"]["facets"]["sex"]
    return {metric["name"]: metric["value"] for metric in facet["metrics"]}


def shap_values(analysis: dict[str, Any]) -> dict[str, float]:
    [explanation] = analysis["explanations"]["kernel_shap"].values()
    return dict(explanation["global_shap_values"])


# two models of the same data
data = applicants(women=0.4, seed=1)
source = put("data/applicants.csv", text(data))
labels, features = data[:, 0], data[:, 1:]
booster = xgb.train({"objective": "binary:logistic", "max_depth": 3}, xgb.DMatrix(features, labels), 20)
trees = lgb.train({"objective": "binary", "num_leaves": 8, "verbose": -1}, lgb.Dataset(features, labels), 20)
models = [
    create_model("with-xgboost", "xgboost", "3.0-5", {"xgboost-model": bytes(booster.save_raw("ubj"))}),
    create_model(
        "with-lightgbm",
        "sklearn",
        "1.4-2",
        {"model.txt": trees.model_to_string().encode(), "code/inference.py": SERVE.encode()},
    ),
]
bias = BiasConfig(label_values_or_threshold=[1], facet_name="sex", facet_values_or_threshold=[1], group_name="region")
shap = SHAPConfig(num_clusters=1, num_samples=30, agg_method="mean_abs", seed=1)
predicted = ModelPredictedLabelConfig(probability_threshold=0.5)
processor = SageMakerClarifyProcessor(**common)


def data_of(output: str, data: str = source) -> DataConfig:
    return DataConfig(
        s3_data_input_path=data, s3_output_path=f"s3://{bucket}/{output}", label="approved", headers=HEADERS
    )


def model_of(name: str) -> ModelConfig:
    return ModelConfig(
        model_name=name,
        instance_type="ml.m5.xlarge",
        instance_count=1,
        content_type="text/csv",
        accept_type="text/csv",
    )


def difference(favourable: np.ndarray) -> float:
    """How much larger the share of favourable labels or predictions is for men than for women."""
    women = features[:, 0] == 1
    return float(favourable[~women].mean() - favourable[women].mean())


# the analyses of the processor, and what they should find
result: dict[str, Any] = {
    "expected": {
        "CI": 1 - 2 * features[:, 0].mean(),
        "DPL": difference(labels),
        "with-xgboost": difference(booster.predict(xgb.DMatrix(features)) > 0.5),
        "with-lightgbm": difference(np.asarray(trees.predict(features)) > 0.5),
    }
}
quick: dict[str, Any] = {"wait": False, "logs": False}
processor.run_pre_training_bias(data_of("pre"), bias, job_name="pre", **quick)
result["pre"] = metrics(finished("pre", "pre"), "pre_training")
for name in models:
    processor.run_post_training_bias(
        data_of(f"post/{name}"), bias, model_of(name), predicted, job_name=f"post-{name}", **quick
    )
    processor.run_bias(data_of(f"bias/{name}"), bias, model_of(name), predicted, job_name=f"bias-{name}", **quick)
    processor.run_explainability(data_of(f"shap/{name}"), model_of(name), shap, job_name=f"shap-{name}", **quick)
for name in models:
    both = finished(f"bias-{name}", f"bias/{name}")
    result[name] = {
        "pre": metrics(both, "pre_training"),
        "post": metrics(finished(f"post-{name}", f"post/{name}"), "post_training"),
        "both": metrics(both, "post_training"),
        "shap": shap_values(finished(f"shap-{name}", f"shap/{name}")),
    }
result["endpoints"] = [found["EndpointName"] for found in sagemaker.list_endpoints()["Endpoints"]]


# ClarifyCheck steps: the first execution registers baselines, with which the second one compares more women
def run_checks(data: str, output: str, **more: Any) -> dict[str, str]:
    """Run a pipeline of the three types of checks; the status of each, or why it has failed."""
    model = model_of("with-lightgbm")
    configs = {
        "DataBias": DataBiasCheckConfig(data_of(f"{output}/DataBias", data), data_bias_config=bias),
        "ModelBias": ModelBiasCheckConfig(
            data_of(f"{output}/ModelBias", data),
            data_bias_config=bias,
            model_config=model,
            model_predicted_label_config=predicted,
        ),
        "Explainability": ModelExplainabilityCheckConfig(
            data_of(f"{output}/Explainability", data), model_config=model, explainability_config=shap
        ),
    }
    job = CheckJobConfig(role=ROLE, sagemaker_session=session)
    steps = [
        ClarifyCheckStep(
            name,
            clarify_check_config=check,
            check_job_config=job,
            supplied_baseline_constraints=f"s3://{bucket}/first/{name}/analysis.json",
            **more,
        )
        for name, check in configs.items()
    ]
    pipeline = Pipeline(output, steps=steps, sagemaker_session=session)
    pipeline.upsert(ROLE)
    execution = pipeline.start()
    until(lambda: execution.describe()["PipelineExecutionStatus"] != "Executing")
    return {step["StepName"]: step.get("FailureReason", step["StepStatus"]) for step in execution.list_steps()}


result["checks"] = [
    run_checks(source, "first", skip_check=True, register_new_baseline=True),
    run_checks(put("data/women.csv", text(applicants(women=0.8, seed=2))), "second"),
]

# an endpoint, and applications that it captures
capture = {
    "EnableCapture": True,
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": f"s3://{bucket}/captures",
    "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]},
}
variant = {
    "VariantName": "AllTraffic",
    "ModelName": "with-xgboost",
    "InstanceType": "ml.m5.xlarge",
    "InitialInstanceCount": 1,
}
sagemaker.create_endpoint_config(EndpointConfigName="loans", ProductionVariants=[variant], DataCaptureConfig=capture)
sagemaker.create_endpoint(EndpointName="loans", EndpointConfigName="loans")
until(lambda: sagemaker.describe_endpoint(EndpointName="loans")["EndpointStatus"] == "InService")
runtime = session.boto_session.client("sagemaker-runtime")
today = applicants(women=0.8, seed=2, rows=100)
# everybody has the same income, which therefore explains nothing any more
today[:, 2] = 60
truth = []
for number, row in enumerate(today):
    runtime.invoke_endpoint(
        EndpointName="loans",
        ContentType="text/csv",
        Accept="text/csv",
        InferenceId=str(number),
        Body=text(row[None, 1:]),
    )
    label = {"data": f"{row[0]:g}", "encoding": "CSV"}
    event = {"eventId": str(number)}
    truth.append(json.dumps({"groundTruthData": label, "eventMetadata": event, "eventVersion": "0"}))
put(f"labels/{datetime.now(UTC):%Y/%m/%d/%H}/labels.jsonl", "\n".join(truth))

# monitors of both kinds
once: dict[str, Any] = {
    "schedule_cron_expression": CronExpressionGenerator.now(),
    "data_analysis_start_time": "-PT2H",
    "data_analysis_end_time": "-PT0H",
}
groups: Any = ModelBiasMonitor(**common)
reasons: Any = ModelExplainabilityMonitor(**common)
# SDK 3.27 starts the job, and then reads an attribute that only the ProcessingJob of SDK 2 has
with contextlib.suppress(AttributeError):
    groups.suggest_baseline(
        data_of("groups/baseline"), bias, model_of("with-xgboost"), predicted, job_name="groups-baseline"
    )
with contextlib.suppress(AttributeError):
    reasons.suggest_baseline(data_of("reasons/baseline"), shap, model_of("with-xgboost"), job_name="reasons-baseline")
for name in ("groups", "reasons"):
    finished(f"{name}-baseline", f"{name}/baseline")
groups.create_monitoring_schedule(
    endpoint_input=EndpointInput("loans", "/opt/ml/processing/input/endpoint"),
    ground_truth_input=f"s3://{bucket}/labels",
    output_s3_uri=f"s3://{bucket}/groups",
    monitor_schedule_name="groups-once",
    **once,
)
reasons.create_monitoring_schedule(
    endpoint_input="loans", output_s3_uri=f"s3://{bucket}/reasons", monitor_schedule_name="reasons-once", **once
)


def last(monitor: Any) -> dict[str, Any]:
    return dict(monitor.describe_schedule().get("LastMonitoringExecutionSummary", {}))


for kind, monitor in (("groups", groups), ("reasons", reasons)):
    until(lambda monitor=monitor: last(monitor).get("MonitoringExecutionStatus") not in (None, "Pending", "InProgress"))
    assert "FailureReason" not in last(monitor), last(monitor)
    # those of SDK 3.27's Clarify monitors, too, read attributes of SDK 2; the method that they override works
    [execution] = ModelMonitor.list_executions(monitor)
    result[kind] = {
        "status": last(monitor)["MonitoringExecutionStatus"],
        "violations": execution.constraint_violations().body_dict["violations"],
    }
    attached = type(monitor).attach(f"{kind}-once", session)
    result[kind]["attached"] = attached.job_definition_name == monitor.job_definition_name
    monitor.delete_monitoring_schedule()
print(json.dumps(result))
