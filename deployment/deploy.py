"""Creates an endpoint from a plan, or updates it with traffic shifting and automatic rollback.

A failed deployment removes what it created: the whole endpoint if it is new; otherwise the new models and the new
configuration, while the endpoint keeps serving the previous ones. After an interruption, the same deployment resumes.
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
from deployment.traffic_shifting import deployment_config, describe_shifts
from project import registry
from project.errors import UserError
from project.settings import Settings
from project.target import Target

Report = Callable[[str], None]


@dataclass(frozen=True)
class DeploymentResult:
    """A deployed endpoint; `change` is "created", "updated" or "unchanged"."""

    endpoint: Endpoint
    change: str


class DeploymentFailed(Exception):
    """SageMaker could not create the endpoint or has rolled back an update; `log` is the end of the container log."""

    def __init__(self, message: str, log: Sequence[str]) -> None:
        super().__init__(message)
        self.log = log


def choose_variants(
    settings: Settings, target: Target, version: int | None, challenger: int | None, weight: float
) -> tuple[Variant, ...]:
    """Choose the model packages to deploy.

    Args:
        settings: The project's settings.
        target: Where the packages are registered.
        version: The champion; the latest approved version if None.
        challenger: A version to serve beside the champion, if any.
        weight: The challenger's share of the requests, from 0 to 1.

    Raises:
        UserError: No version is approved, or a requested version is not.
    """
    champion = latest_approved(settings, target) if version is None else _approved(settings, target, version)
    if challenger is None:
        return (Variant(CHAMPION, champion),)
    if challenger == champion.version:
        raise UserError(
            f"version {challenger} is both champion and challenger; give another --challenger or --model-package"
        )
    return (
        Variant(CHAMPION, champion, round(1 - weight, 6)),
        Variant(CHALLENGER, _approved(settings, target, challenger), weight),
    )


def latest_approved(settings: Settings, target: Target) -> registry.ModelPackage:
    """Return the latest approved version of the project's models.

    Raises:
        UserError: No version is approved.
    """
    group = settings.model_package_group
    package = registry.latest_approved(group, target)
    if package is None:
        raise UserError(
            f"no version of {group!r} is approved; list the versions with `python -m pipelines models` and approve one "
            "with `python -m pipelines approve VERSION`"
        )
    return package


def deploy_endpoint(settings: Settings, target: Target, plan: Plan, timeout: float, report: Report) -> DeploymentResult:
    """Create or update the endpoint as planned and wait until it is in service.

    Args:
        settings: The project's settings.
        target: Where to deploy.
        plan: The endpoint to create or update.
        timeout: Longest wait for SageMaker in seconds.
        report: Called with a line for each event and each change of status.

    Raises:
        UserError: The endpoint can't be changed now (see `start_deployment`), or the wait exceeds `timeout`.
        DeploymentFailed: SageMaker could not create the endpoint or has rolled back the update.
    """
    change = start_deployment(settings, target, plan, report)
    return wait_for_deployment(settings, target, plan, change, timeout, report)


def start_deployment(settings: Settings, target: Target, plan: Plan, report: Report) -> str:
    """Create what is missing and start the creation or update of the endpoint, without waiting for it.

    Returns:
        "created", "updated" or "unchanged", as in `DeploymentResult.change`.

    Raises:
        UserError: The endpoint belongs to another project, is of the other mode, has failed, or is being changed.
    """
    existing = endpoints.find_endpoint(target, plan.endpoint)
    if existing is not None:
        endpoints.check_owner(settings, target, existing)
        if not existing.is_stable and plan.config_name in (existing.config, existing.pending_config):
            report(f"{plan.endpoint} is already being deployed")
            return "created" if existing.status == "Creating" else "updated"
        _check_changeable(target, plan, existing)
    return _create_or_update(settings, target, plan, existing, report)


def wait_for_deployment(
    settings: Settings, target: Target, plan: Plan, change: str, timeout: float, report: Report
) -> DeploymentResult:
    """Wait until the deployment has ended, then set up scaling and remove unused resources.

    Args:
        settings: The project's settings.
        target: Where the endpoint is deployed.
        plan: The plan that was started.
        change: The return value of `start_deployment`.
        timeout: Longest wait in seconds.
        report: Called with each status, once a minute.

    Raises:
        UserError: The wait exceeds `timeout`, or the endpoint has been deleted meanwhile.
        DeploymentFailed: SageMaker could not create the endpoint or has rolled back the update.
    """
    endpoint, reported, start = None, ("", 0), time.monotonic()
    for endpoint in endpoints.poll_endpoint(target, plan.endpoint, timeout):
        minutes = int(time.monotonic() - start) // 60
        if endpoint and not endpoint.is_stable and reported != (endpoint.status, minutes):
            reported = (endpoint.status, minutes)
            report(f"{plan.endpoint}: {endpoint.status}")
    if endpoint is None:
        raise UserError(f"endpoint {plan.endpoint!r} was deleted during its deployment; deploy again")
    if endpoint.status != IN_SERVICE or endpoint.config != plan.config_name:
        raise _failure(settings, target, plan, change, endpoint)
    _scale(settings, target, plan.mode, endpoint)
    resources.delete_resources(target, resources.unused_resources(settings, target, endpoint))
    return DeploymentResult(endpoint, change)


def _approved(settings: Settings, target: Target, version: int) -> registry.ModelPackage:
    package = registry.find_version(settings.model_package_group, version, target)
    if package.approval_status != "Approved":
        raise UserError(
            f"version {version} of {settings.model_package_group!r} is {package.approval_status}; SageMaker deploys "
            f"only approved versions: approve it with `python -m pipelines approve {version}`"
        )
    return package


def _check_changeable(target: Target, plan: Plan, existing: Endpoint) -> None:
    name = existing.name
    if not existing.is_stable:
        raise UserError(
            f"endpoint {name!r} is {existing.status}; wait until that has ended, see `python -m deployment status`"
        )
    if existing.status != IN_SERVICE:
        raise UserError(
            f"endpoint {name!r} is {existing.status} ({existing.reason or 'no reason given'}) and can't be updated; "
            f"remove it with `python -m deployment delete --endpoint {name}`"
        )
    serverless = any(variant.serverless for variant in endpoints.served_variants(target, existing))
    mode = "serverless" if serverless else "real-time"
    if mode != plan.mode:
        raise UserError(
            f"endpoint {name!r} is {mode}, and an update can't make it {plan.mode}; delete it first, or deploy under "
            "another name with --endpoint"
        )


def _create_or_update(settings: Settings, target: Target, plan: Plan, existing: Endpoint | None, report: Report) -> str:
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
        # a second error must not hide the first; `delete` finds what a failed clean-up leaves
        with suppress(ClientError, BotoCoreError):
            _clean_up(settings, target, plan, existing)
        raise


def _clean_up(settings: Settings, target: Target, plan: Plan, existing: Endpoint | None) -> None:
    """Remove what a deployment has created if SageMaker did not accept it."""
    current = endpoints.find_endpoint(target, plan.endpoint)
    if current is not None and plan.config_name in (current.config, current.pending_config):
        # it did accept, only its response was lost: the same deployment resumes
        return
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
                # UpdateEndpoint refuses to remove a scaled variant or to change its instance type
                autoscaling.stop_scaling(target, plan.endpoint, variant)
        fleet_size = deployment.instance_count
        if deployment.autoscaling and kept == planned == running.keys():
            # keep the instance count that autoscaling has chosen; weights and capture come from the new configuration
            request |= {
                "RetainAllVariantProperties": True,
                "ExcludeRetainedVariantProperties": [
                    {"VariantPropertyType": "DesiredWeight"},
                    {"VariantPropertyType": "DataCaptureConfig"},
                ],
            }
            fleet_size = min(variant.instance_count for variant in running.values())
        if planned == running.keys():
            request["DeploymentConfig"] = _guarded_config(settings, target, guards, fleet_size, report)
        else:
            report("The set of variants changes: SageMaker shifts all traffic at once, without rollback alarms")
    target.sagemaker.update_endpoint(**request)


def _guarded_config(
    settings: Settings, target: Target, names: Sequence[str], fleet_size: int, report: Report
) -> dict[str, Any]:
    # an alarm that is in ALARM before the update would roll it back at once, even if the update fixes the cause
    in_alarm = alarms.names_in_alarm(target, names)
    for name in in_alarm:
        report(f"{name} is already in ALARM and can't guard this update")
    config = deployment_config(settings.deployment.update, fleet_size, [name for name in names if name not in in_alarm])
    report(describe_shifts(config, fleet_size))
    return config


def _failure(settings: Settings, target: Target, plan: Plan, change: str, endpoint: Endpoint) -> DeploymentFailed:
    """Clean up and describe the failure."""
    log = endpoints.log_lines(target, plan.endpoint)
    reason = endpoint.reason or "SageMaker gave no reason"
    if change == "created" and endpoint.status == FAILED:
        resources.delete_resources(target, resources.endpoint_resources(settings, target, plan.endpoint))
        return DeploymentFailed(f"endpoint {plan.endpoint!r} could not be created and was removed: {reason}", log)
    if endpoint.status != IN_SERVICE:
        return DeploymentFailed(f"endpoint {plan.endpoint!r} is {endpoint.status} after the update: {reason}", log)
    resources.delete_resources(target, resources.unused_resources(settings, target, endpoint))
    _scale(settings, target, plan.mode, endpoint)
    names = [request["AlarmName"] for request in alarms.rollback_alarms(settings.deployment.update, plan)]
    in_alarm = [name for name in alarms.names_in_alarm(target, names) if name not in reason]
    details = f"; in ALARM: {', '.join(in_alarm)}" if in_alarm else ""
    return DeploymentFailed(
        f"the update of {plan.endpoint!r} was rolled back; the endpoint serves its previous configuration: "
        f"{reason}{details}",
        log,
    )


def _scale(settings: Settings, target: Target, mode: str, endpoint: Endpoint) -> None:
    if mode == "real-time":
        variants = [variant["VariantName"] for variant in endpoint.production_variants]
        autoscaling.scale_variants(settings.deployment, target, endpoint.name, variants)
