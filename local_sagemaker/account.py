"""Who the local SageMaker is: one account, one region, one role, one default bucket."""

ACCOUNT = "123456789012"
REGION = "us-east-1"
DEFAULT_BUCKET = f"sagemaker-{REGION}-{ACCOUNT}"
ROLE_NAME = "SageMakerExecutionRole"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/{ROLE_NAME}"


def lambda_arn(name: str) -> str:
    """`arn:aws:lambda:us-east-1:123456789012:function:<name>`."""
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"


def sagemaker_arn(kind: str, name: str) -> str:
    """`arn:aws:sagemaker:us-east-1:123456789012:<kind>/<name>`, names in lower case as the service writes them."""
    return f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{kind}/{name.lower()}"
