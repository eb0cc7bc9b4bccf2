"""The monitoring schedules of an endpoint, on either backend."""

from __future__ import annotations

from types import ModuleType

from deployment.endpoints import project_endpoints
from monitoring import model_monitor_schedules, pipeline_schedules
from monitoring.schedule import PIPELINE, Schedule
from project.errors import UserError
from project.settings import Settings
from project.target import Target


def find_schedules(settings: Settings, target: Target, endpoint: str) -> list[Schedule]:
    """Return the schedules that monitor the endpoint; an empty list if there are none."""
    schedule = pipeline_schedules.find_schedule(settings, target, endpoint)
    return [*([schedule] if schedule else []), *model_monitor_schedules.find_schedules(target, endpoint)]


def endpoint_schedules(settings: Settings, target: Target, endpoint: str) -> list[Schedule]:
    """Return the schedules that monitor the endpoint.

    Raises:
        UserError: There are none.
    """
    schedules = find_schedules(settings, target, endpoint)
    if not schedules:
        raise UserError(
            f"endpoint {endpoint!r} has no monitoring schedule; create one with `python -m monitoring schedule create`"
        )
    return schedules


def project_schedules(settings: Settings, target: Target) -> list[Schedule]:
    """Return the monitoring schedules of all endpoints of the project."""
    schedules = list(pipeline_schedules.find_schedules(settings, target))
    endpoints = {settings.name, *(schedule.endpoint for schedule in schedules)}
    endpoints |= {endpoint.name for endpoint in project_endpoints(settings, target)}
    for endpoint in sorted(endpoints):
        schedules += model_monitor_schedules.find_schedules(target, endpoint)
    return schedules


def set_enabled(target: Target, schedule: Schedule, enabled: bool) -> None:
    """Pause or resume a schedule."""
    _backend(schedule).set_enabled(target, schedule, enabled)


def set_constraints(target: Target, schedule: Schedule, analysis: str, uri: str) -> None:
    """Make a schedule use other constraints."""
    _backend(schedule).set_constraints(target, schedule, analysis, uri)


def delete_schedule(target: Target, schedule: Schedule) -> None:
    _backend(schedule).delete_schedule(target, schedule)


def _backend(schedule: Schedule) -> ModuleType:
    return pipeline_schedules if schedule.backend == PIPELINE else model_monitor_schedules
