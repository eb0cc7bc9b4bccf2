"""Functions that run as jobs: `@remote`, its errors, and several at once with `RemoteExecutor`."""

from pathlib import Path

from sagemaker.core.helper.session_helper import Session
from sagemaker.core.remote_function import RemoteExecutor, remote

session = Session()
job = {
    "role": "arn:aws:iam::123456789012:role/SageMakerExecutionRole",
    "instance_type": "ml.m5.xlarge",
    "s3_root_uri": f"s3://{session.default_bucket()}/remote-function-3",
    "sagemaker_session": session,
}
Path("requirements.txt").write_text("numpy\n", encoding="utf-8")
Path("helper.py").write_text("def double(value):\n    return 2 * value\n", encoding="utf-8")


@remote(**job, dependencies="requirements.txt", include_local_workdir=True)
def mean(values, scale=1):
    import helper
    import numpy

    Path("/opt/ml/model/scale.txt").write_text(str(scale), encoding="utf-8")
    return helper.double(float(numpy.mean(values))) * scale


def fails(value):
    raise ValueError(f"cannot use {value}")


assert mean([1, 2, 3], scale=10) == 40

# its end waits for all jobs, which takes the SDK less time than waiting for each
with RemoteExecutor(**job, max_parallel_jobs=2) as executor:
    power = executor.submit(pow, 2, 5)
    failure = executor.submit(fails, 7)
assert power.result() == 32
try:
    failure.result()
except ValueError as error:
    assert str(error) == "cannot use 7"
else:
    raise AssertionError("the function's exception was not raised")

newest = session.sagemaker_client.list_training_jobs(NameContains="fails")["TrainingJobSummaries"][0]
description = session.sagemaker_client.describe_training_job(TrainingJobName=newest["TrainingJobName"])
assert "ValueError('cannot use 7')" in description["FailureReason"], description["FailureReason"]
