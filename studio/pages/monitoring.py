"""Monitoring: schedules, their executions and findings, results over time, and alarms."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, abort, make_response, render_template, request

from studio.failures import Failure, attempt
from studio.paging import choice, page_request, page_size
from studio.plots import lines_over_time
from studio.queries import alarms, monitoring, monitoring_executions, monitoring_metrics
from studio.queries.metrics import RANGES, Series
from studio.queries.monitoring import MonitoringSchedule
from studio.queries.monitoring_metrics import MAX_LINES
from studio.target import current_target

# parts of pages are below `/-/`, which no schedule can be called
blueprint = Blueprint("monitoring", __name__, url_prefix="/monitoring")

TABS = {"pipelines": "Schedules of pipelines", "model-monitor": "Model Monitor", "alarms": "Alarms"}


@blueprint.get("")
def list_schedules() -> Response:
    tab, name = request.args.get("tab", "pipelines"), request.args.get("name", "").strip()
    if tab not in TABS:
        abort(404, f"There is no part {tab!r} of this page.")
    shown = {"tabs": TABS, "tab": tab, "name": name}
    listed = attempt(lambda: _listed(tab, name))()
    if isinstance(listed, Failure):
        # the lists of the other tabs may be allowed
        return make_response(render_template("monitoring/list.html", **shown, failure=listed), listed.status)
    return make_response(render_template(f"monitoring/{tab.replace('-', '_')}.html", **shown, **listed))


@blueprint.get("/-/alarms")
def list_alarms() -> str:
    """Return a page of alarms, as a part of other pages."""
    name, state = request.args.get("name", ""), request.args.get("state", "")
    page = alarms.list_alarms(current_target(), name, state, page_size(), request.args.get("token"))
    return render_template("monitoring/alarm_rows.html", page=page, name=name, state=state)


@blueprint.get("/-/alarms/history")
def show_history() -> str:
    items = alarms.read_history(current_target(), request.args["name"])
    return render_template("monitoring/history.html", items=items)


@blueprint.get("/pipelines/<group>/<name>/summary")
def show_summary(group: str, name: str) -> str:
    """Return the cells of a row that need a call of their own: pipeline, endpoint and times."""
    schedule = monitoring.describe_pipeline_schedule(current_target(), group, name)
    return render_template("monitoring/summary_cells.html", schedule=schedule)


@blueprint.get("/<name>")
def show_schedule(name: str) -> str:
    """Show a schedule of Model Monitor."""
    return _schedule_page(monitoring.describe_model_monitor_schedule(current_target(), name), None)


@blueprint.get("/pipelines/<group>/<name>")
def show_pipeline_schedule(group: str, name: str) -> str:
    """Show a schedule of EventBridge Scheduler that starts a pipeline."""
    return _schedule_page(monitoring.describe_pipeline_schedule(current_target(), group, name), group)


@blueprint.get("/-/trends")
def show_trends() -> str:
    endpoint, dimension = request.args.get("endpoint_name", ""), request.args["dimension"]
    within = RANGES[choice("range", RANGES, "1d")]
    trends = monitoring_metrics.read_trends(current_target(), endpoint, dimension, within)
    plots = [
        (title, statistic, found, lines_over_time(found[:MAX_LINES], axis, within, zero=zero))
        for title, statistic, found, axis, zero in (
            ("Drift from the baseline by feature", "Maximum", trends.drift, "distance", True),
            ("Model quality", "Worst value", _scores(trends.quality), "value", False),
            ("Other metrics of model quality", "Worst value", _not_scores(trends.quality), "value", False),
            ("Share of the inferences with a label", "Minimum", trends.labels, "share", True),
            ("Violations", "Maximum", trends.violations, "violations", True),
            ("Bias by group", "Average", trends.bias, "value", False),
            ("Feature attribution", "Average (of NDCG the minimum)", trends.attribution, "global SHAP value", True),
            ("Completeness of incomplete features", "Minimum", trends.completeness, "share", False),
            ("Analysed requests", "Average of the checks", trends.records, "requests", True),
        )
        if found
    ]
    return render_template("monitoring/trends.html", plots=plots, within=within, max_lines=MAX_LINES)


@blueprint.get("/-/findings")
def show_findings() -> str:
    """Return the cells of an execution's row with its findings."""
    target = current_target()
    schedule = _schedule(request.args["schedule"], request.args.get("group"))
    findings = monitoring_executions.read_findings(target, schedule, request.args["arn"])
    return render_template("monitoring/findings.html", findings=findings)


@blueprint.get("/-/results")
def show_results() -> str:
    """Return the results of an execution."""
    target = current_target()
    schedule = _schedule(request.args["schedule"], request.args.get("group"))
    result, reports = monitoring_executions.read_results(target, schedule, request.args["arn"])
    return render_template("monitoring/results.html", schedule=schedule, result=result, reports=reports)


def _listed(tab: str, name: str) -> dict[str, Any]:
    """Return what the template of a tab shows besides the tabs."""
    target = current_target()
    if tab == "alarms":
        return {"states": alarms.STATES}
    if tab == "model-monitor":
        return {"page": monitoring.list_model_monitor_schedules(target, name, page_request("CreationTime"))}
    page, others = monitoring.list_pipeline_schedules(target, name, page_size(), request.args.get("token"))
    return {"page": page, "others": others}


def _schedule_page(schedule: MonitoringSchedule, group: str | None) -> str:
    target = current_target()
    page = monitoring_executions.list_executions(target, schedule, page_request())
    ended = [item for item in page.items if item.status in ("Succeeded", "Completed", "CompletedWithViolations")]
    wanted = request.args.get("execution")
    chosen = next((item for item in page.items if item.id == wanted), ended[0] if ended and not wanted else None)
    return render_template(
        "monitoring/schedule.html",
        schedule=schedule,
        group=group,
        page=page,
        chosen=chosen,
        ended=ended,
        ranges=RANGES,
        range=choice("range", RANGES, "1d"),
    )


def _schedule(name: str, group: str | None) -> MonitoringSchedule:
    target = current_target()
    if group:
        return monitoring.describe_pipeline_schedule(target, group, name)
    return monitoring.describe_model_monitor_schedule(target, name)


def _scores(series: tuple[Series, ...]) -> tuple[Series, ...]:
    """Return the metrics whose values are shares, which have a plot of their own."""
    return tuple(item for item in series if all(0 <= value <= 1 for _, value in item.points))


def _not_scores(series: tuple[Series, ...]) -> tuple[Series, ...]:
    return tuple(item for item in series if item not in _scores(series))
