"""Train the built-in XGBoost with low-level requests, and host the model by its https URL, real-time and serverless."""

import io
import time

import boto3
import numpy as np
import sagemaker
from sagemaker import image_uris
from sagemaker.deserializers import CSVDeserializer
from sagemaker.serializers import CSVSerializer
from sagemaker.serverless import ServerlessInferenceConfig

session = sagemaker.Session()
region = session.boto_region_name
role = sagemaker.get_execution_role()
bucket, prefix = session.default_bucket(), "xgboost-hosting"
client = boto3.client("sagemaker")
image = image_uris.retrieve("xgboost", region, "1.7-1")

features = np.random.default_rng(0).normal(size=(400, 4))
labels = features @ [2.0, -1.0, 0.5, 0.0]
for channel, rows in (("train", slice(300)), ("validation", slice(300, 400))):
    lines = "".join(
        f"{label:.4f} " + " ".join(f"{index}:{value:.4f}" for index, value in enumerate(row)) + "\n"
        for label, row in zip(labels[rows], features[rows], strict=True)
    )
    session.boto_session.client("s3").upload_fileobj(
        io.BytesIO(lines.encode()), bucket, f"{prefix}/{channel}/data.libsvm"
    )

job = f"xgboost-hosting-{time.time_ns()}"
client.create_training_job(
    TrainingJobName=job,
    AlgorithmSpecification={"TrainingImage": image, "TrainingInputMode": "File"},
    RoleArn=role,
    OutputDataConfig={"S3OutputPath": f"s3://{bucket}/{prefix}/output"},
    ResourceConfig={"InstanceCount": 1, "InstanceType": "ml.m5.2xlarge", "VolumeSizeInGB": 5},
    HyperParameters={"max_depth": "4", "eta": "0.3", "objective": "reg:squarederror", "num_round": "40"},
    StoppingCondition={"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200},
    EnableManagedSpotTraining=True,
    InputDataConfig=[
        {
            "ChannelName": channel,
            "DataSource": {
                "S3DataSource": {
                    "S3DataType": "S3Prefix",
                    "S3Uri": f"s3://{bucket}/{prefix}/{channel}",
                    "S3DataDistributionType": "FullyReplicated",
                }
            },
            "ContentType": "libsvm",
            "CompressionType": "None",
        }
        for channel in ("train", "validation")
    ],
)
client.get_waiter("training_job_completed_or_stopped").wait(TrainingJobName=job, WaiterConfig={"Delay": 1})
done = client.describe_training_job(TrainingJobName=job)
assert done["TrainingJobStatus"] == "Completed", done.get("FailureReason")
metrics = {metric["MetricName"]: metric["Value"] for metric in done["FinalMetricDataList"]}
assert metrics["validation:rmse"] < 1

key = done["ModelArtifacts"]["S3ModelArtifacts"].removeprefix(f"s3://{bucket}/")
for name, url in (
    ("path", f"https://s3-{region}.amazonaws.com/{bucket}/{key}"),
    ("host", f"https://{bucket}.s3-{region}.amazonaws.com/{key}"),
):
    client.create_model(
        ModelName=f"{job}-{name}", ExecutionRoleArn=role, PrimaryContainer={"Image": image, "ModelDataUrl": url}
    )

client.create_endpoint_config(
    EndpointConfigName=job,
    ProductionVariants=[
        {
            "InstanceType": "ml.m5.xlarge",
            "InitialInstanceCount": 1,
            "InitialVariantWeight": 1,
            "ModelName": f"{job}-path",
            "VariantName": "AllTraffic",
        }
    ],
)
client.create_endpoint(EndpointName=job, EndpointConfigName=job)
while client.describe_endpoint(EndpointName=job)["EndpointStatus"] == "Creating":
    time.sleep(0.2)
runtime = boto3.client("runtime.sagemaker")
libsvm = "\n".join(" ".join(f"{index}:{value}" for index, value in enumerate(row)) for row in features[:5])
body = runtime.invoke_endpoint(EndpointName=job, ContentType="text/x-libsvm", Body=libsvm)["Body"].read().decode()
scores = [float(line) for line in body.split()]
assert np.abs(np.array(scores) - labels[:5]).max() < 2

serverless = sagemaker.Model(image_uri=image, model_data=f"s3://{bucket}/{key}", role=role, sagemaker_session=session)
serverless.deploy(
    serverless_inference_config=ServerlessInferenceConfig(memory_size_in_mb=1024, max_concurrency=2),
    endpoint_name=f"{job}-serverless",
)
predictor = sagemaker.Predictor(f"{job}-serverless", session, CSVSerializer(), CSVDeserializer())
assert np.allclose([float(row[0]) for row in predictor.predict(features[:5])], scores, atol=1e-4)
predictor.delete_endpoint()
client.delete_endpoint(EndpointName=job)
