"""CloudWatch Logs: groups, streams, and the events of a stream, followed live or filtered."""

from __future__ import annotations

from flask import Blueprint, render_template, request, url_for

from studio.live import interval_of
from studio.paging import page_size
from studio.queries import logs
from studio.target import current_target

blueprint = Blueprint("logs", __name__, url_prefix="/logs")

# events that the page of a job shows
JOB_EVENTS = 200


@blueprint.get("")
def list_groups() -> str:
    prefix = request.args.get("name", "").strip()
    page = logs.list_groups(current_target(), prefix, page_size(), request.args.get("token"))
    return render_template("logs/groups.html", page=page, prefix=prefix)


@blueprint.get("/streams")
def list_streams() -> str:
    group, prefix = request.args["group"], request.args.get("name", "").strip()
    page = logs.list_streams(current_target(), group, prefix, page_size(), request.args.get("token"))
    return render_template("logs/streams.html", page=page, group=group, prefix=prefix)


@blueprint.get("/events")
def show_stream() -> str:
    """Show a stream, or the events of a stream or group that match a filter pattern."""
    group, stream = request.args["group"], request.args.get("stream", "")
    pattern, token = request.args.get("filter", "").strip(), request.args.get("token")
    if pattern or not stream:
        found = logs.filter_events(current_target(), group, [stream] if stream else [], pattern, token)
        return render_template("logs/found.html", page=found, group=group, stream=stream, pattern=pattern)
    page = logs.read_events(current_target(), group, stream, token)
    follows = request.args.get("follow") == "1" and token is None
    return render_template(
        "logs/events.html", page=page, group=group, stream=stream, next_events=_next(page, group, stream, follows)
    )


@blueprint.get("/more")
def show_more() -> str:
    """Return the events after a token, and where the next ones will be."""
    group, stream = request.args["group"], request.args["stream"]
    page = logs.read_events(current_target(), group, stream, request.args["token"])
    return render_template("logs/lines.html", page=page, next_events=_next(page, group, stream, follows=True))


@blueprint.get("/job")
def show_job_log() -> str:
    """Return the end of a job's log, which is followed with `follow=1`."""
    group, job = request.args["group"], request.args["job"]
    follows = request.args.get("follow") == "1"
    target = current_target()
    streams = logs.list_streams(target, group, f"{job}/", 25).items
    page = logs.read_events(target, group, streams[0].name, limit=JOB_EVENTS) if streams else None
    return render_template(
        "logs/job.html",
        group=group,
        job=job,
        streams=streams,
        page=page,
        follows=follows,
        seconds=int(2 * interval_of(target)),
        next_events=page and _next(page, group, streams[0].name, follows),
    )


def _next(page: logs.LogPage, group: str, stream: str, follows: bool) -> dict[str, object] | None:
    """Return where the events after a page are, and after how many seconds to ask for them."""
    if not follows:
        return None
    address = url_for(".show_more", group=group, stream=stream, token=page.after)
    return {"address": address, "seconds": int(2 * interval_of(current_target()))}
