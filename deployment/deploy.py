"""Bring an endpoint to a plan: make it, move it over from its predecessor, or leave it as it is.

A deployment that fails leaves nothing of itself: a new endpoint is removed whole, and an update's models and
configuration are, while the old ones go on serving. Given again after an interruption, the same deployment goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from deployment import alarms, autoscaling, endpoints, resources
from deployment.endpoints import FAILED, IN_SERVICE, Endpoint
from deployment.plan import CHALLENGER, CHAMPION, Plan, Variant
from deployment.traffic_shifting import deployment_config
from project import registry
from project.errors import UserError
from project.settings import Settings
from project.target import Target

Report = Callable[[str], None]


@dataclass(frozen=True)
class DeploymentResult:
    """change: "created", "updated" or "unchanged"."""

    endpoint: Endpoint
    change: str


class DeploymentFailed(Exception):
    """SageMaker could not bring the endpoint up, or has taken an update back; `log` is what its containers said."""

    def __init__(self, message: str, log: Sequence[str]) -> None:
        super().__init__(message)
        self.log = log


def choose_variants(
    settings: Settings, target: Target, version: int | None, challenger: int | None, weight: float
) -> tuple[Variant, ...]:
    """The champion, by default the latest approved version, and beside it the challenger with a share of `weight`.

    Raises:
        UserError: no version is approved, or one that is asked for isn't.
    """
    group = settings.model_package_group
    champion = registry.latest_approved(group, target) if version is None else _approved(settings, target, version)
    if champion is None:
        raise UserError(
            f"no version of {group!r} is approved; `python -m pipelines models` lists them, "
            "`python -m pipelines approve VERSION` approves one"
        )
    if challenger is None:
        return (Variant(CHAMPION, champion),)
    if challenger == champion.version:
        raise UserError(f"version {challenger} can't challenge itself; give another --challenger or --model-package")
    return (
        Variant(CHAMPION, champion, round(1 - weight, 6)),
        Variant(CHALLENGER, _approved(settings, target, challenger), weight),
    )


def deploy_endpoint(settings: Settings, target: Target, plan: Plan, timeout: float, report: Report) -> DeploymentResult:
    """Make the endpoint what the plan says, and wait until it is.

    timeout: seconds to wait for SageMaker.
    report: gets a line whenever something has happened or goes on.

    Raises:
        UserError: as of `begin`, or it takes too long.
        DeploymentFailed: see there.
    """
    return wait_for_deployment(
        settings, target, plan, start_deployment(settings, target, plan, report), timeout, report
    )


def start_deployment(settings: Settings, target: Target, plan: Plan, report: Report) -> str:
    """Make what is missing and set SageMaker to work, without waiting for it. Returns what changes: see DeploymentResult.

    Raises:
        UserError: the endpoint is another project's, of another mode, has failed, or is busy.
    """
    existing = endpoints.find_endpoint(target, plan.endpoint)
    if existing is not None:
        endpoints.check_owner(settings, target, existing)
    if (
        existing is not None
        and not existing.is_stable
        and plan.config_name in (existing.config, existing.pending_config)
    ):
        report(f"{plan.endpoint} is being deployed already")
        return "created" if existing.status == "Creating" else "updated"
    if existing is not None:
        _check_changeable(target, plan, existing)
    return _start(settings, target, plan, existing, report)


def wait_for_deployment(
    settings: Settings, target: Target, plan: Plan, change: str, timeout: float, report: Report
) -> DeploymentResult:
    """Wait until the endpoint has become what the plan says, and put right what goes with it.

    change: what `begin` returned.

    Raises:
        UserError: it takes too long.
        DeploymentFailed: see there.
    """
    endpoint, told, since = None, ("", 0), time.monotonic()
    for endpoint in endpoints.follow(target, plan.endpoint, timeout):
        minutes = int(time.monotonic() - since) // 60
        if endpoint and not endpoint.is_stable and told != (endpoint.status, minutes):
            told = (endpoint.status, minutes)
            report(f"{plan.endpoint}: {endpoint.status}")
    if endpoint is None:
        raise UserError(f"endpoint {plan.endpoint!r} has been deleted while it was being deployed")
    if endpoint.status != IN_SERVICE or endpoint.config != plan.config_name:
        raise _failure(settings, target, plan, change, endpoint)
    _scale(settings, target, plan.mode, endpoint)
    resources.delete_resources(target, resources.unused_resources(settings, target, endpoint))
    return DeploymentResult(endpoint, change)


def _approved(settings: Settings, target: Target, version: int) -> registry.ModelPackage:
    package = registry.find_version(settings.model_package_group, version, target)
    if package.approval_status != "Approved":
        raise UserError(
            f"version {version} of {settings.model_package_group!r} is {package.approval_status}, and SageMaker "
            f"deploys approved ones only; approve it with `python -m pipelines approve {version}`"
        )
    return package


def _check_changeable(target: Target, plan: Plan, existing: Endpoint) -> None:
    name = existing.name
    if not existing.is_stable:
        raise UserError(f"endpoint {name!r} is {existing.status} now; wait until that has ended (`status` shows it)")
    if existing.status != IN_SERVICE:
        raise UserError(
            f"endpoint {name!r} is {existing.status} ({existing.reason or 'no reason given'}) and can't be updated; "
            f"remove it with `python -m deployment delete --endpoint {name}`"
        )
    serverless = any(variant.serverless for variant in endpoints.served_variants(target, existing))
    mode = "serverless" if serverless else "real-time"
    if mode != plan.mode:
        raise UserError(
            f"endpoint {name!r} is {mode}, and an update can't make it {plan.mode}; delete it first, or deploy "
            "beside it with --endpoint"
        )


def _start(settings: Settings, target: Target, plan: Plan, existing: Endpoint | None, report: Report) -> str:
    """Make what is missing and set SageMaker to work; what changes: see DeploymentResult."""
    guards = alarms.rollback_alarms(settings.deployment.update, plan)
    alarms.put_alarms(target, guards)
    if existing is not None and existing.config == plan.config_name:
        return "unchanged"
    try:
        for model in plan.models:
            resources.create_if_missing(target.sagemaker.create_model, model)
        resources.create_if_missing(target.sagemaker.create_endpoint_config, plan.config)
        if existing is None:
            target.sagemaker.create_endpoint(
                EndpointName=plan.endpoint, EndpointConfigName=plan.config_name, Tags=plan.tags
            )
            return "created"
        _update(settings, target, plan, existing, [alarm["AlarmName"] for alarm in guards], report)
        return "updated"
    except BaseException:
        # what goes wrong here too is not what the person has to know; `delete` finds what stays
        with suppress(ClientError, BotoCoreError):
            _withdraw(settings, target, plan, existing)
        raise


def _withdraw(settings: Settings, target: Target, plan: Plan, existing: Endpoint | None) -> None:
    """Remove what a deployment has made that SageMaker did not take on."""
    now = endpoints.find_endpoint(target, plan.endpoint)
    if now is not None and plan.config_name in (now.config, now.pending_config):
        return  # it did, and only its answer was lost: given again, the deployment goes on
    if existing is None:
        resources.delete_resources(target, resources.endpoint_resources(settings, target, plan.endpoint))
    else:
        resources.delete_resources(target, resources.unused_resources(settings, target, existing))
        _scale(settings, target, plan.mode, existing)


def _update(
    settings: Settings, target: Target, plan: Plan, existing: Endpoint, guards: Sequence[str], report: Report
) -> None:
    request: dict[str, Any] = {"EndpointName": plan.endpoint, "EndpointConfigName": plan.config_name}
    if plan.mode == "real-time":
        running = {variant.name: variant for variant in endpoints.served_variants(target, existing)}
        planned = {variant.name for variant in plan.variants}
        deployment = settings.deployment
        kept = {name for name in running.keys() & planned if running[name].instance_type == deployment.instance_type}
        for variant in autoscaling.scaled_variants(target, plan.endpoint):
            if variant not in kept:
                # UpdateEndpoint refuses to remove a variant that is scaled, or to change its instance type
                autoscaling.stop_scaling(target, plan.endpoint, variant)
        fleet_size = deployment.instance_count
        if deployment.autoscaling and kept == planned == running.keys():
            # what autoscaling has brought the fleet to stays; the rest is as the new configuration says
            request |= {
                "RetainAllVariantProperties": True,
                "ExcludeRetainedVariantProperties": [
                    {"VariantPropertyType": "DesiredWeight"},
                    {"VariantPropertyType": "DataCaptureConfig"},
                ],
            }
            fleet_size = min(variant.instance_count for variant in running.values())
        if planned == running.keys():
            request["DeploymentConfig"] = _guarded(settings, target, guards, fleet_size, report)
        else:
            report("The variants change, so SageMaker moves all traffic at once, not guarded by alarms")
    target.sagemaker.update_endpoint(**request)


def _guarded(
    settings: Settings, target: Target, names: Sequence[str], fleet_size: int, report: Report
) -> dict[str, Any]:
    # an alarm that is in ALARM already would take the update back at once, even one that puts the cause right
    ringing = alarms.names_in_alarm(target, names)
    for name in ringing:
        report(f"{name} is in ALARM already and so can't guard this update")
    update, quiet = settings.deployment.update, [name for name in names if name not in ringing]
    report(f"The alarms are watched for {update.wait_seconds} s after each step of the traffic")
    return deployment_config(update, fleet_size, quiet)


def _failure(settings: Settings, target: Target, plan: Plan, change: str, endpoint: Endpoint) -> DeploymentFailed:
    """Clean up, and say what has happened."""
    log = endpoints.log_lines(target, plan.endpoint)
    reason = endpoint.reason or "SageMaker gives no reason"
    if change == "created" and endpoint.status == FAILED:
        resources.delete_resources(target, resources.endpoint_resources(settings, target, plan.endpoint))
        return DeploymentFailed(f"endpoint {plan.endpoint!r} could not be created, and is removed: {reason}", log)
    if endpoint.status != IN_SERVICE:
        return DeploymentFailed(f"endpoint {plan.endpoint!r} is {endpoint.status} after the update: {reason}", log)
    resources.delete_resources(target, resources.unused_resources(settings, target, endpoint))
    _scale(settings, target, plan.mode, endpoint)
    names = [request["AlarmName"] for request in alarms.rollback_alarms(settings.deployment.update, plan)]
    ringing = alarms.names_in_alarm(target, names)
    blame = f"; in ALARM: {', '.join(ringing)}" if ringing else ""
    return DeploymentFailed(
        f"the update of {plan.endpoint!r} was taken back, and the endpoint serves what it did before: {reason}{blame}",
        log,
    )


def _scale(settings: Settings, target: Target, mode: str, endpoint: Endpoint) -> None:
    if mode == "real-time":
        variants = [variant["VariantName"] for variant in endpoint.production_variants]
        autoscaling.scale_variants(settings.deployment, target, endpoint.name, variants)
