"""The monitoring schedules of an endpoint, on whichever backend they run."""

from __future__ import annotations

from deployment.endpoints import own_endpoints
from monitoring import native_schedules, pipeline_schedules
from monitoring.schedule import PIPELINE, Schedule
from project.errors import UserError
from project.settings import Settings
from project.target import Target


def find_schedules(settings: Settings, target: Target, endpoint: str) -> list[Schedule]:
    """The schedules that watch the endpoint; none where there are none."""
    own = pipeline_schedules.find_schedule(settings, target, endpoint)
    return [*([own] if own else []), *native_schedules.find_schedules(target, endpoint)]


def own_schedules(settings: Settings, target: Target, endpoint: str) -> list[Schedule]:
    """Raises:
    UserError: nothing watches the endpoint.
    """
    schedules = find_schedules(settings, target, endpoint)
    if not schedules:
        raise UserError(
            f"nothing watches endpoint {endpoint!r}; `python -m monitoring schedule create` makes a schedule"
        )
    return schedules


def set_enabled(target: Target, schedule: Schedule, enabled: bool) -> None:
    """Pause a schedule or have it go on."""
    backend = pipeline_schedules if schedule.backend == PIPELINE else native_schedules
    backend.set_enabled(target, schedule, enabled)


def set_constraints(target: Target, schedule: Schedule, analysis: str, uri: str) -> None:
    """Have a schedule compare with other constraints from now on."""
    backend = pipeline_schedules if schedule.backend == PIPELINE else native_schedules
    backend.set_constraints(target, schedule, analysis, uri)


def delete_schedule(target: Target, schedule: Schedule) -> None:
    backend = pipeline_schedules if schedule.backend == PIPELINE else native_schedules
    backend.delete_schedule(target, schedule)


def project_schedules(settings: Settings, target: Target) -> list[Schedule]:
    """All monitoring schedules of the project, of every endpoint."""
    own = list(pipeline_schedules.find_schedules(settings, target))
    names = {settings.name, *(schedule.endpoint for schedule in own)}
    names |= {endpoint.name for endpoint in own_endpoints(settings, target)}
    return own + [one for name in sorted(names) for one in native_schedules.find_schedules(target, name)]
