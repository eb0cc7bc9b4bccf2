"""Who the caller is (STS) and what the role may do (IAM): answered here, everything else of both is moto's.

The caller is a session of the execution role, as in a SageMaker notebook, because that is what the SDK derives the
role from; and the role may do everything.
"""

import uuid
from collections.abc import Mapping
from xml.sax.saxutils import escape

from local_sagemaker.account import ACCOUNT
from local_sagemaker.services.sagemaker.common import CALLER_ARN, CALLER_ID

STS = "https://sts.amazonaws.com/doc/2011-06-15/"
IAM = "https://iam.amazonaws.com/doc/2010-05-08/"


def answer(arguments: Mapping[str, str]) -> str | None:
    """The XML that answers a request of the query protocol, None where the action is not one of ours."""
    action = arguments.get("Action")
    if action == "GetCallerIdentity":
        content = f"<Arn>{CALLER_ARN}</Arn><UserId>{CALLER_ID}</UserId><Account>{ACCOUNT}</Account>"
        return _response(STS, action, content)
    if action == "SimulatePrincipalPolicy":
        results = "".join(
            f"<member><EvalActionName>{escape(name)}</EvalActionName><EvalDecision>allowed</EvalDecision></member>"
            for key, name in arguments.items()
            if key.startswith("ActionNames.member.")
        )
        content = f"<IsTruncated>false</IsTruncated><EvaluationResults>{results}</EvaluationResults>"
        return _response(IAM, action, content)
    return None


def _response(namespace: str, action: str, content: str) -> str:
    return (
        f'<{action}Response xmlns="{namespace}"><{action}Result>{content}</{action}Result>'
        f"<ResponseMetadata><RequestId>{uuid.uuid4()}</RequestId></ResponseMetadata></{action}Response>"
    )
