"""Train with the first image of XGBoost, `xgboost:latest`, and score a file with ids: filters and a join."""

import io
import time

import numpy as np
import pandas as pd
import sagemaker
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput

session = sagemaker.Session()
bucket, prefix = session.default_bucket(), f"batch-transform-{time.time_ns()}"
s3 = session.boto_session.client("s3")

rng = np.random.default_rng(1)
rows = pd.DataFrame(rng.normal(size=(300, 3)))
rows.insert(0, "label", (rows[0] + rows[1] > 0).astype(int))
rows.insert(0, "id", range(1000, 1300))
train, batch = rows[:250], rows[250:]
s3.put_object(
    Bucket=bucket,
    Key=f"{prefix}/train/train.csv",
    Body=train.drop(columns="id").to_csv(header=False, index=False),
)
s3.put_object(
    Bucket=bucket,
    Key=f"{prefix}/batch/batch.csv",
    Body=batch.drop(columns="label").to_csv(header=False, index=False),
)

estimator = Estimator(
    sagemaker.image_uris.retrieve("xgboost", session.boto_region_name, "latest"),
    sagemaker.get_execution_role(),
    instance_count=1,
    instance_type="ml.m5.xlarge",
    output_path=f"s3://{bucket}/{prefix}/output",
    sagemaker_session=session,
)
estimator.set_hyperparameters(objective="binary:logistic", max_depth=3, eta=0.3, silent=0, num_round=20)
estimator.fit({"train": TrainingInput(f"s3://{bucket}/{prefix}/train", content_type="text/csv")}, logs=False)

transformer = estimator.transformer(1, "ml.m5.xlarge", assemble_with="Line", accept="text/csv")
transformer.transform(
    f"s3://{bucket}/{prefix}/batch",
    content_type="text/csv",
    split_type="Line",
    input_filter="$[1:]",
    join_source="Input",
    output_filter="$[0,-1]",
    logs=False,
)
output = transformer.output_path.removeprefix(f"s3://{bucket}/") + "/batch.csv.out"
scored = pd.read_csv(io.BytesIO(s3.get_object(Bucket=bucket, Key=output)["Body"].read()), header=None)
assert scored[0].tolist() == batch["id"].tolist()
assert ((scored[1] > 0.5).astype(int).to_numpy() == batch["label"].to_numpy()).mean() > 0.8
