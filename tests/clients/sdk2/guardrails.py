"""Canary and linear traffic shifting: a version that fails requests is rolled back by its alarm, a good one stays."""

import io
import tarfile
import time
from collections import Counter

import boto3
import numpy as np
import sagemaker
from botocore.exceptions import ClientError
from sagemaker import image_uris
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput

session = sagemaker.Session()
role = sagemaker.get_execution_role()
bucket, name = session.default_bucket(), f"guardrails-{time.time_ns()}"
client, runtime = boto3.client("sagemaker"), boto3.client("sagemaker-runtime")
cloudwatch, s3 = boto3.client("cloudwatch"), boto3.client("s3")
image = image_uris.retrieve("xgboost", session.boto_region_name, "1.7-1")

features = np.random.default_rng(3).normal(size=(200, 2))
table = "".join(f"{row.sum()},{row[0]},{row[1]}\n" for row in features)
s3.put_object(Bucket=bucket, Key=f"{name}/train/data.csv", Body=table)
estimator = Estimator(
    image,
    role,
    instance_count=1,
    instance_type="ml.m5.xlarge",
    output_path=f"s3://{bucket}/{name}/output",
    sagemaker_session=session,
    hyperparameters={"objective": "reg:squarederror", "num_round": 5},
)
estimator.fit({"train": TrainingInput(f"s3://{bucket}/{name}/train", content_type="csv")}, logs=False)

archive = io.BytesIO()
with tarfile.open(fileobj=archive, mode="w:gz") as tar:
    content = b"the model of another library"
    member = tarfile.TarInfo("xgboost-model")
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))
s3.put_object(Bucket=bucket, Key=f"{name}/faulty/model.tar.gz", Body=archive.getvalue())

for version, model_data in enumerate(
    (estimator.model_data, f"s3://{bucket}/{name}/faulty/model.tar.gz", estimator.model_data), 1
):
    client.create_model(
        ModelName=f"{name}-{version}",
        ExecutionRoleArn=role,
        Containers=[{"Image": image, "ModelDataUrl": model_data}],
    )
    client.create_endpoint_config(
        EndpointConfigName=f"{name}-{version}",
        ProductionVariants=[
            {
                "VariantName": "AllTraffic",
                "ModelName": f"{name}-{version}",
                "InstanceType": "ml.m5.xlarge",
                "InitialInstanceCount": 3,
            }
        ],
    )


def invoke_until_in_service() -> Counter[int]:
    """Send requests while the endpoint changes; count their status codes."""
    codes: Counter[int] = Counter()
    while client.describe_endpoint(EndpointName=name)["EndpointStatus"] not in ("InService", "Failed"):
        try:
            answer = runtime.invoke_endpoint(EndpointName=name, ContentType="text/csv", Body="0.1,0.2")
            codes[answer["ResponseMetadata"]["HTTPStatusCode"]] += 1
        except ClientError as error:
            assert "Unable to load model" in error.response["Error"]["Message"]
            codes[error.response["OriginalStatusCode"]] += 1
        time.sleep(0.1)
    return codes


client.create_endpoint(EndpointName=name, EndpointConfigName=f"{name}-1")
client.get_waiter("endpoint_in_service").wait(EndpointName=name, WaiterConfig={"Delay": 1})
cloudwatch.put_metric_alarm(
    AlarmName=f"{name}-5xx",
    ActionsEnabled=False,
    Namespace="AWS/SageMaker",
    MetricName="Invocation5XXErrors",
    Statistic="Average",
    Dimensions=[{"Name": "EndpointName", "Value": name}, {"Name": "VariantName", "Value": "AllTraffic"}],
    Period=60,
    EvaluationPeriods=1,
    Threshold=0.01,
    ComparisonOperator="GreaterThanOrEqualToThreshold",
    TreatMissingData="notBreaching",
)
deployment = {
    "BlueGreenUpdatePolicy": {
        "TrafficRoutingConfiguration": {
            "Type": "CANARY",
            "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 33},
            "WaitIntervalInSeconds": 30,
        },
        "TerminationWaitInSeconds": 0,
        "MaximumExecutionTimeoutInSeconds": 1800,
    },
    "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": f"{name}-5xx"}]},
}
client.update_endpoint(EndpointName=name, EndpointConfigName=f"{name}-2", DeploymentConfig=deployment)
codes = invoke_until_in_service()
assert codes[500] >= 1, codes
assert codes[200] >= 1, codes
assert client.describe_endpoint(EndpointName=name)["EndpointConfigName"] == f"{name}-1"

cloudwatch.delete_alarms(AlarmNames=[f"{name}-5xx"])
policy = {
    "TrafficRoutingConfiguration": {
        "Type": "LINEAR",
        "LinearStepSize": {"Type": "CAPACITY_PERCENT", "Value": 34},
        "WaitIntervalInSeconds": 1,
    },
    "TerminationWaitInSeconds": 0,
    "MaximumExecutionTimeoutInSeconds": 1800,
}
client.update_endpoint(
    EndpointName=name, EndpointConfigName=f"{name}-3", DeploymentConfig={"BlueGreenUpdatePolicy": policy}
)
assert set(invoke_until_in_service()) == {200}
assert client.describe_endpoint(EndpointName=name)["EndpointConfigName"] == f"{name}-3"
client.delete_endpoint(EndpointName=name)
