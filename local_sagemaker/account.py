"""The identity of the local SageMaker: one account, one region, one role, one default bucket."""

ACCOUNT = "123456789012"
REGION = "us-east-1"
DEFAULT_BUCKET = f"sagemaker-{REGION}-{ACCOUNT}"
ROLE_NAME = "SageMakerExecutionRole"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/{ROLE_NAME}"

# who makes every request: a session of the role
CALLER_ARN = f"arn:aws:sts::{ACCOUNT}:assumed-role/{ROLE_NAME}/local"
CALLER_ID = "AROALOCALSAGEMAKER00:local"


def lambda_arn(name: str) -> str:
    """Return `arn:aws:lambda:us-east-1:123456789012:function:<name>`."""
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"


def sagemaker_arn(kind: str, name: str) -> str:
    """Return `arn:aws:sagemaker:us-east-1:123456789012:<kind>/<name>`, the name in lower case as on SageMaker."""
    return f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{kind}/{name.lower()}"
