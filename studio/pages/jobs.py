"""Processing, training, transform and tuning jobs: the list, and one with its settings, metrics and log."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from project.target import Target
from studio.live import Update, interval_of, stream
from studio.paging import choice, page_request
from studio.plots import learning_curve
from studio.queries import job_metrics, jobs
from studio.queries.job_metrics import Point
from studio.queries.job_settings import is_maximized
from studio.queries.jobs import KINDS, STATUSES, Job
from studio.target import current_target
from studio.timeline import bar

blueprint = Blueprint("jobs", __name__, url_prefix="/jobs")

# trials of a tuning job that are shown
TRIALS = 100


@blueprint.get("")
def list_jobs() -> str:
    kind = _checked(request.args.get("kind", "training-job"))
    contains, status = request.args.get("name", "").strip(), choice("status", STATUSES)
    page = jobs.list_jobs(current_target(), kind, contains, status, page_request("CreationTime"))
    return render_template(
        "jobs/list.html", page=page, kind=kind, kinds=KINDS, statuses=STATUSES, contains=contains, status_chosen=status
    )


@blueprint.get("/<kind>/<name>")
def show_job(kind: str, name: str) -> str:
    job = jobs.describe_job(current_target(), _checked(kind), name)
    return render_template("jobs/job.html", **_shown(job))


@blueprint.get("/<kind>/<name>/live")
def follow_job(kind: str, name: str) -> Response:
    """Send the state of a job until it has ended, and then its parts again."""
    target = current_target()
    _checked(kind)

    def read() -> Update:
        job = jobs.describe_job(target, kind, name)
        fragments = {"state": render_template("jobs/state.html", **_shown(job))}
        if not job.is_running:
            fragments["parts"] = render_template("jobs/ended_parts.html", job=job)
        return Update(fragments, is_final=not job.is_running)

    return stream(read, interval_of(target))


@blueprint.get("/<kind>/<name>/curves")
def show_curves(kind: str, name: str) -> str:
    """Return plots of a training job's metrics over its iterations."""
    target = current_target()
    curves = job_metrics.read_curves(target, jobs.describe_job(target, _checked(kind), name))
    return render_template("jobs/curves.html", plots=curve_plots(curves.points), remarks=curves.remarks)


@blueprint.get("/<kind>/<name>/execution")
def show_execution(kind: str, name: str) -> str:
    """Return a link to the execution that has created a job."""
    _checked(kind)
    return render_template("jobs/execution.html", arn=jobs.find_execution(current_target(), name))


@blueprint.get("/<kind>/<name>/trials")
def show_trials(kind: str, name: str) -> str:
    """Return the table of a tuning job's trials."""
    _checked(kind)
    target = current_target()
    job, trials = _tuning(target, name)
    varied = sorted({parameter for trial in trials for parameter in trial.hyperparameters})
    return render_template("jobs/trials.html", job=job, trials=trials, varied=varied, most=TRIALS)


@blueprint.post("/<kind>/<name>/stop")
def stop_job(kind: str, name: str) -> AnyResponse:
    jobs.stop_job(current_target(), _checked(kind), name)
    return redirect(url_for(".show_job", kind=kind, name=name), 303)


def curve_plots(curves: Mapping[str, Sequence[Point]]) -> dict[str, dict[str, Any]]:
    """Return a Vega-Lite plot for each metric; those of several data sets, such as train:auc, share one."""
    series: dict[str, dict[str, Sequence[Point]]] = defaultdict(dict)
    for name, points in curves.items():
        part, _, metric = name.rpartition(":")
        series[metric][part or metric] = points
    return {metric: learning_curve(metric, parts) for metric, parts in series.items()}


def _tuning(target: Target, name: str) -> tuple[Job, list[jobs.Trial]]:
    job = jobs.describe_job(target, "hyper-parameter-tuning-job", name)
    trials = jobs.list_trials(target, job.name, TRIALS)

    def rank(trial: jobs.Trial) -> tuple[bool, float]:
        value = trial.value or 0.0
        return trial.value is None, -value if is_maximized(job.response, trial.definition) else value

    return job, sorted(trials, key=rank)


def _shown(job: Job) -> dict[str, Any]:
    start = job.phases[0].started if job.phases else job.created
    end = job.ended or job.phases[-1].ended if job.phases else job.ended
    phases = [
        (phase, bar(phase.started, phase.ended or end, start, end))
        for phase in job.phases
        if end is not None and (phase.ended or end) is not None
    ]
    return {"job": job, "phases": phases, "title": KINDS[job.kind]}


def _checked(kind: str) -> str:
    if kind not in KINDS:
        abort(404, f"There are no jobs of the kind {kind!r}; the kinds are {', '.join(KINDS)}.")
    return kind
