"""What a request to moto asks for: its operation and its members, and members that moto would ignore.

moto answers as if it had obeyed a member that it does not know. Those that change what an operation does are refused by
name; those that do not, such as clients' tokens, are accepted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, parse_qsl

from local_sagemaker.protocol.errors import ServiceError

# found by comparing botocore's input shapes with the members that moto reads; by service and operation
_IGNORED: dict[tuple[str, str], tuple[str, ...]] = {
    ("application-autoscaling", "PutScalingPolicy"): ("PredictiveScalingPolicyConfiguration",),
    ("application-autoscaling", "RegisterScalableTarget"): ("Tags",),
    ("cloudformation", "CreateStack"): (
        "DisableRollback",
        "OnFailure",
        "RetainExceptOnCreate",
        "RollbackConfiguration",
        "StackPolicyURL",
    ),
    ("cloudformation", "UpdateStack"): (
        "DisableRollback",
        "NotificationARNs",
        "RetainExceptOnCreate",
        "RollbackConfiguration",
        "StackPolicyBody",
        "StackPolicyDuringUpdateBody",
        "StackPolicyDuringUpdateURL",
        "StackPolicyURL",
    ),
    ("cloudformation", "CreateChangeSet"): (
        "ImportExistingResources",
        "OnStackFailure",
        "ResourcesToImport",
        "RollbackConfiguration",
    ),
    ("cloudformation", "ExecuteChangeSet"): ("DisableRollback", "RetainExceptOnCreate"),
    ("cloudformation", "DeleteStack"): ("DeletionMode", "RetainResources"),
    ("events", "CreateEventBus"): ("LogConfig",),
    ("events", "CreateConnection"): ("InvocationConnectivityParameters",),
    ("events", "UpdateConnection"): ("InvocationConnectivityParameters",),
    ("events", "PutEvents"): ("EndpointId",),
    ("monitoring", "PutDashboard"): ("Tags",),
    ("monitoring", "PutMetricAlarm"): (
        "ActionConfiguration",
        "EvaluationCriteria",
        "EvaluationInterval",
        "EvaluationWindow",
        "WarmUpConfiguration",
    ),
    ("monitoring", "PutMetricData"): ("EntityMetricData",),
    ("sns", "CreateTopic"): ("DataProtectionPolicy",),
}
# what the members above say without being given; also `--disable-rollback` of the AWS CLI sends "false"
_DEFAULTS = (None, False, "false", "", "ROLLBACK", "STANDARD")


def operation_of(method: str, path: str, headers: Mapping[str, str], body: bytes) -> str:
    """The operation of a request, such as `PutRule`; of REST services, method and path."""
    if target := headers.get("X-Amz-Target"):
        return target.rpartition(".")[2]
    path = path.partition("?")[0]
    if match := re.fullmatch(r"/service/[^/]+/operation/([^/]+)", path):
        return match[1]
    if headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
        return parse_qs(body.decode("utf-8", errors="replace")).get("Action", [""])[0]
    return f"{method} {path}"


def members_of(body: bytes) -> dict[str, Any]:
    """The members of a request: of JSON, as they are; of a form, flat, such as `Tags.member.1.Key`.

    Raises:
        ValueError: The body is neither.
    """
    if not body or body.startswith(b"{"):
        members = json.loads(body or b"{}")
        assert isinstance(members, dict)
        return members
    return dict(parse_qsl(body.decode("utf-8"), strict_parsing=True, keep_blank_values=True))


def check_members(service: str, operation: str, body: bytes) -> None:
    """Refuse members of a request that moto would ignore.

    Raises:
        ServiceError: With the first one.
    """
    ignored = _IGNORED.get((service, operation))
    if ignored is None:
        return
    try:
        members = members_of(body)
    except ValueError:
        # moto's to refuse
        return
    for name, value in members.items():
        member = name.partition(".")[0]
        if member in ignored and value not in _DEFAULTS:
            raise ServiceError(
                "ValidationError" if service in ("cloudformation", "monitoring", "sns") else "ValidationException",
                f"the local SageMaker does not support {member} of {operation}; leave it out",
            )
