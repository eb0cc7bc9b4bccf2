"""Who the caller is (STS) and what the role may do (IAM); moto answers all other operations of both.

The caller is a session of the execution role, as in a SageMaker notebook, because that is what the SDK derives the
role from; and the role may do everything.
"""

import uuid
from collections.abc import Mapping
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from werkzeug.wrappers import Request, Response

from local_sagemaker.account import ACCOUNT, CALLER_ARN, CALLER_ID
from local_sagemaker.protocol.bodies import read_body
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.service import NotImplementedHere

STS = "https://sts.amazonaws.com/doc/2011-06-15/"
IAM = "https://iam.amazonaws.com/doc/2010-05-08/"


class IdentityService:
    """GetCallerIdentity and SimulatePrincipalPolicy."""

    def respond(self, request: Request) -> Response:
        body = read_body(request).decode("utf-8", errors="replace")
        arguments = dict(request.args) | dict(parse_qsl(body, keep_blank_values=True))
        if "Action" not in arguments:
            raise ServiceError("MissingAction", "the request has no Action")
        request_id = str(uuid.uuid4())
        xml = _response_to(arguments, request_id)
        if xml is None:
            raise NotImplementedHere(arguments["Action"])
        return Response(xml, headers={"x-amzn-RequestId": request_id}, content_type="text/xml")


def _response_to(arguments: Mapping[str, str], request_id: str) -> str | None:
    action = arguments["Action"]
    if action == "GetCallerIdentity":
        content = f"<Arn>{CALLER_ARN}</Arn><UserId>{CALLER_ID}</UserId><Account>{ACCOUNT}</Account>"
        return _document(STS, action, content, request_id)
    if action == "SimulatePrincipalPolicy":
        results = "".join(
            f"<member><EvalActionName>{escape(name)}</EvalActionName><EvalDecision>allowed</EvalDecision></member>"
            for key, name in arguments.items()
            if key.startswith("ActionNames.member.")
        )
        content = f"<IsTruncated>false</IsTruncated><EvaluationResults>{results}</EvaluationResults>"
        return _document(IAM, action, content, request_id)
    return None


def _document(namespace: str, action: str, content: str, request_id: str) -> str:
    return (
        f'<{action}Response xmlns="{namespace}"><{action}Result>{content}</{action}Result>'
        f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{action}Response>"
    )
