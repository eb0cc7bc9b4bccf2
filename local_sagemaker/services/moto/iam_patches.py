"""Patches that give moto's IAM the managed policies of AWS, each as soon as a request names it.

moto has them all, and loads none or every one at its start, which takes 0.8 seconds and 40 MB.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.models import AWSManagedPolicy, IAMBackend
from moto.moto_api._internal import mock_random

from local_sagemaker.services.moto.patching import PatchSet

Original = Callable[..., Any]

patches = PatchSet()
_ARN_PREFIX = "arn:aws:iam::aws:policy/"
# an attribute of backends that have all of AWS's policies
_IS_COMPLETE = "has_all_aws_managed_policies"


@patches(
    IAMBackend,
    "attach_role_policy",
    "attach_user_policy",
    "attach_group_policy",
    "get_policy",
    "get_policy_version",
    "list_policy_versions",
)
def _load_named(original: Original, backend: IAMBackend, policy_arn: str, *arguments: Any, **keywords: Any) -> Any:
    if str(policy_arn).startswith(_ARN_PREFIX) and policy_arn not in backend.managed_policies:
        _add(backend, _definition(policy_arn.rpartition("/")[2]))
    return original(backend, policy_arn, *arguments, **keywords)


@patches(IAMBackend, "list_policies", "get_account_authorization_details")
def _load_all(original: Original, backend: IAMBackend, *arguments: Any, **keywords: Any) -> Any:
    if not getattr(backend, _IS_COMPLETE, False):
        _add(backend, json.loads(aws_managed_policies_data).items())
        setattr(backend, _IS_COMPLETE, True)
    return original(backend, *arguments, **keywords)


def _definition(name: str) -> Iterable[tuple[str, dict[str, Any]]]:
    """Yield name and definition of a policy, if AWS has it, without decoding those of all others."""
    key = f'\n "{name}":'
    if (start := aws_managed_policies_data.find(key)) >= 0:
        definition, _ = json.JSONDecoder().raw_decode(aws_managed_policies_data, start + len(key))
        yield name, definition


def _add(backend: IAMBackend, definitions: Iterable[tuple[str, dict[str, Any]]]) -> None:
    """Add policies that are not there yet. The ID of each is always the same, and the journal's IDs do not change."""
    state = mock_random.getstate()
    for name, definition in definitions:
        mock_random.seed(name)
        policy = AWSManagedPolicy.from_data(name, backend.account_id, backend.region_name, definition)
        if policy.arn not in backend.managed_policies:
            backend.managed_policies[policy.arn] = policy
            backend.aws_managed_policies.append(policy)
    mock_random.setstate(state)
