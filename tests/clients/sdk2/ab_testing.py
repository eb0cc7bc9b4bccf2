"""Two variants of an endpoint: traffic by weight and by TargetVariant, and the invocations that CloudWatch counts."""

import time
from datetime import UTC, datetime, timedelta

import boto3
import numpy as np
import sagemaker
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.session import production_variant

session = sagemaker.Session()
role = sagemaker.get_execution_role()
bucket, name = session.default_bucket(), f"ab-test-{time.time_ns()}"
client, runtime = boto3.client("sagemaker"), boto3.client("sagemaker-runtime")
image = sagemaker.image_uris.retrieve("xgboost", session.boto_region_name, "1.7-1")

features = np.random.default_rng(2).normal(size=(200, 2))
table = "".join(f"{int(row.sum() > 0)},{row[0]},{row[1]}\n" for row in features)
boto3.client("s3").put_object(Bucket=bucket, Key=f"{name}/train/data.csv", Body=table)
estimators = {}
for variant, rounds in (("Variant1", 1), ("Variant2", 30)):
    estimators[variant] = Estimator(
        image,
        role,
        instance_count=1,
        instance_type="ml.m5.xlarge",
        output_path=f"s3://{bucket}/{name}/output",
        sagemaker_session=session,
        hyperparameters={"objective": "binary:logistic", "num_round": rounds},
    )
    estimators[variant].fit({"train": TrainingInput(f"s3://{bucket}/{name}/train", content_type="csv")}, wait=False)
trained = client.get_waiter("training_job_completed_or_stopped")
variants = []
for variant, estimator in estimators.items():
    trained.wait(TrainingJobName=estimator.latest_training_job.name, WaiterConfig={"Delay": 1})
    session.create_model(
        name=f"{name}-{variant}",
        role=role,
        container_defs={"Image": image, "ModelDataUrl": estimator.model_data},
    )
    variants.append(production_variant(f"{name}-{variant}", "ml.c5.xlarge", 1, variant, initial_weight=1))

session.endpoint_from_production_variants(name=name, production_variants=variants, wait=False)
client.get_waiter("endpoint_in_service").wait(EndpointName=name, WaiterConfig={"Delay": 1})


def invoke(**more: str) -> str:
    answer = runtime.invoke_endpoint(EndpointName=name, ContentType="text/csv", Body="0.5,0.4", **more)
    return answer["InvokedProductionVariant"]


def change_weights(first: float, second: float) -> None:
    client.update_endpoint_weights_and_capacities(
        EndpointName=name,
        DesiredWeightsAndCapacities=[
            {"VariantName": "Variant1", "DesiredWeight": first},
            {"VariantName": "Variant2", "DesiredWeight": second},
        ],
    )
    while client.describe_endpoint(EndpointName=name)["EndpointStatus"] != "InService":
        time.sleep(0.1)


assert {invoke() for _ in range(40)} == {"Variant1", "Variant2"}
assert {invoke(TargetVariant="Variant2") for _ in range(10)} == {"Variant2"}
change_weights(25, 75)
weights = {
    variant["VariantName"]: variant["CurrentWeight"]
    for variant in client.describe_endpoint(EndpointName=name)["ProductionVariants"]
}
assert weights == {"Variant1": 25, "Variant2": 75}
change_weights(0, 1)
assert {invoke() for _ in range(20)} == {"Variant2"}

cloudwatch = boto3.client("cloudwatch")


def invocations(variant: str) -> float:
    points = cloudwatch.get_metric_statistics(
        Namespace="AWS/SageMaker",
        MetricName="Invocations",
        StartTime=datetime.now(UTC) - timedelta(minutes=60),
        EndTime=datetime.now(UTC) + timedelta(minutes=1),
        Period=60,
        Statistics=["Sum"],
        Dimensions=[{"Name": "EndpointName", "Value": name}, {"Name": "VariantName", "Value": variant}],
    )["Datapoints"]
    return sum(point["Sum"] for point in points)


# metrics arrive within seconds
deadline = time.monotonic() + 30
while invocations("Variant1") + invocations("Variant2") < 70 and time.monotonic() < deadline:
    time.sleep(0.5)
assert invocations("Variant1") + invocations("Variant2") == 70
assert invocations("Variant2") > invocations("Variant1") > 0
session.delete_endpoint(name)
