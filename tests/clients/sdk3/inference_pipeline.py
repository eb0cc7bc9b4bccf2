"""An inference pipeline: ModelBuilder of two models, an endpoint that scales and then predicts, and a transform job."""

import json
import tarfile
from pathlib import Path

import boto3
import numpy as np
import xgboost
from sagemaker.core import image_uris
from sagemaker.core.helper.session_helper import Session, get_execution_role
from sagemaker.core.resources import EndpointConfig, Model
from sagemaker.core.shapes import ContainerDefinition
from sagemaker.core.transformer import Transformer
from sagemaker.serve.model_builder import ModelBuilder

SCALER = """
import json, os
def model_fn(model_dir):
    with open(os.path.join(model_dir, "scale.json")) as file:
        return json.load(file)
def input_fn(body, content_type):
    return [[float(value) for value in line.split(",")] for line in body.strip().splitlines()]
def predict_fn(rows, scale):
    return [[(value - mean) / deviation for value, (mean, deviation) in zip(row, scale)] for row in rows]
def output_fn(rows, accept):
    return "\\n".join(",".join(map(str, row)) for row in rows), "text/csv"
"""

session = Session()
role, bucket = get_execution_role(), session.default_bucket()
s3 = boto3.client("s3")


def upload(name: str, files: dict[str, str]) -> str:
    """Pack files as a model archive, and return its URI."""
    archive = Path(f"{name}.tar.gz")
    with tarfile.open(archive, "w:gz") as tar:
        for path, source in files.items():
            tar.add(source, path)
    s3.upload_file(str(archive), bucket, f"inference-pipeline/{archive}")
    return f"s3://{bucket}/inference-pipeline/{archive}"


random = np.random.default_rng(0)
rows = random.normal(loc=(100, 50), scale=(15, 10), size=(200, 2))
scaled = (rows - rows.mean(axis=0)) / rows.std(axis=0)
labels = (scaled.sum(axis=1) > 0).astype(int)
booster = xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(scaled, label=labels), num_boost_round=5)
booster.save_model("xgboost-model.json")
Path("scale.json").write_text(json.dumps(list(zip(rows.mean(axis=0), rows.std(axis=0), strict=True))))
Path("inference.py").write_text(SCALER)

scaler = Model.create(
    model_name="inference-pipeline-scaler",
    primary_container=ContainerDefinition(
        image=image_uris.retrieve("sklearn", session.boto_region_name, version="1.4-2", py_version="py3"),
        model_data_url=upload("scaler", {"scale.json": "scale.json", "code/inference.py": "inference.py"}),
        environment={"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"},
    ),
    execution_role_arn=role,
)
classifier = Model.create(
    model_name="inference-pipeline-classifier",
    primary_container=ContainerDefinition(
        image=image_uris.retrieve("xgboost", session.boto_region_name, version="3.0-5"),
        model_data_url=upload("classifier", {"xgboost-model": "xgboost-model.json"}),
    ),
    execution_role_arn=role,
)

builder = ModelBuilder(model=[scaler, classifier], role_arn=role, sagemaker_session=session)
model = builder.build()
endpoint = builder.deploy(endpoint_name="inference-pipeline", instance_type="ml.m5.large", initial_instance_count=1)
body = "\n".join(",".join(map(str, row)) for row in rows)
response = endpoint.invoke(body=body, content_type="text/csv", accept="text/csv").body.read().decode()
probabilities = [float(value) for value in response.replace(",", "\n").split()]
expected = booster.predict(xgboost.DMatrix(scaled))
assert np.allclose(probabilities, expected, atol=1e-5), (probabilities[:3], expected[:3])
EndpointConfig.get(endpoint_config_name=endpoint.endpoint_config_name).delete()
endpoint.delete()

s3.put_object(Bucket=bucket, Key="inference-pipeline/input/rows.csv", Body=body.encode())
output = f"s3://{bucket}/inference-pipeline/output"
transformer = Transformer(
    model_name=model.model_name,
    instance_count=1,
    instance_type="ml.m5.large",
    accept="text/csv",
    assemble_with="Line",
    output_path=output,
    sagemaker_session=session,
)
transformer.transform(f"s3://{bucket}/inference-pipeline/input", content_type="text/csv", split_type="Line", wait=True)
lines = s3.get_object(Bucket=bucket, Key="inference-pipeline/output/rows.csv.out")["Body"].read().decode().split()
assert np.allclose([float(line) for line in lines], expected, atol=1e-5), lines[:3]
