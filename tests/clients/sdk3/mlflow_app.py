"""MLflow with the plugin sagemaker-mlflow: an app, a run with metrics, artifacts and a model version, and its UI."""

from pathlib import Path

import boto3
import mlflow
import requests

ROLE = "arn:aws:iam::123456789012:role/SageMakerExecutionRole"

sagemaker, s3 = boto3.client("sagemaker"), boto3.client("s3")
s3.create_bucket(Bucket="mlflow-app-story")
app = sagemaker.create_mlflow_app(Name="story", ArtifactStoreUri="s3://mlflow-app-story/runs", RoleArn=ROLE)["Arn"]
assert sagemaker.describe_mlflow_app(Arn=app)["Status"] == "Created"

mlflow.set_tracking_uri(app)
experiment = mlflow.set_experiment("churn")
with mlflow.start_run(run_name="first") as run:
    mlflow.log_params({"num_leaves": 31, "learning_rate": 0.1})
    for iteration in range(20):
        mlflow.log_metric("auc", 0.7 + iteration / 100, step=iteration)
    mlflow.log_dict({"rows": 1000}, "fingerprint.json")

client = mlflow.MlflowClient()
assert [metric.step for metric in client.get_metric_history(run.info.run_id, "auc")] == list(range(20))
assert mlflow.search_runs(filter_string="params.num_leaves = '31'").run_id.tolist() == [run.info.run_id]
# artifacts are objects in the app's artifact store
key = f"runs/{experiment.experiment_id}/{run.info.run_id}/artifacts/fingerprint.json"
assert b"1000" in s3.get_object(Bucket="mlflow-app-story", Key=key)["Body"].read()
assert "1000" in Path(client.download_artifacts(run.info.run_id, "fingerprint.json", ".")).read_text()

client.create_registered_model("churn")
version = client.create_model_version("churn", f"{run.info.artifact_uri}/model", run.info.run_id)
client.set_registered_model_alias("churn", "champion", version.version)
assert client.get_model_version_by_alias("churn", "champion").run_id == run.info.run_id

url = sagemaker.create_presigned_mlflow_app_url(Arn=app)["AuthorizedUrl"]
assert "<title>MLflow</title>" in requests.get(url, timeout=60).text

# an app of its own has runs of its own
server = sagemaker.create_mlflow_tracking_server(
    TrackingServerName="story", ArtifactStoreUri="s3://mlflow-app-story/server", RoleArn=ROLE, MlflowVersion="2.16.2"
)["TrackingServerArn"]
mlflow.set_tracking_uri(server)
assert mlflow.search_experiments(filter_string="name = 'churn'") == []

sagemaker.stop_mlflow_tracking_server(TrackingServerName="story")
try:
    mlflow.search_experiments()
except mlflow.MlflowException as error:
    assert "is stopped" in str(error), error
else:
    raise AssertionError("a stopped tracking server has answered")
sagemaker.delete_mlflow_tracking_server(TrackingServerName="story")
sagemaker.delete_mlflow_app(Arn=app)
assert s3.head_object(Bucket="mlflow-app-story", Key=key)
