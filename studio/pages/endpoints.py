"""Endpoints: the list, and one with its variants, metrics, captured requests, and a form that sends a record."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, Response, abort, render_template, request

from deployment.invocations import JSON, as_json
from studio.live import Update, interval_of, stream
from studio.paging import choice, page_request, page_size
from studio.plots import lines_over_time
from studio.queries import captures, endpoint_metrics, endpoints, invocation
from studio.queries.autoscaling import read_scaling
from studio.queries.metrics import RANGES
from studio.queries.variants import Variant, capture_of, describe_variants
from studio.target import call_all, current_runtime, current_target

blueprint = Blueprint("endpoints", __name__, url_prefix="/endpoints")

TABS = {"overview": "Overview", "requests": "Captured requests", "invoke": "Send a record"}
CONTENT_TYPES = (JSON, "application/jsonlines", "text/csv", "text/libsvm", "text/plain", "application/octet-stream")


@blueprint.get("")
def list_endpoints() -> str:
    name, status = request.args.get("name", "").strip(), request.args.get("status", "")
    page = endpoints.list_endpoints(current_target(), name, status, page_request("CreationTime"))
    return render_template("endpoints/list.html", page=page, name=name, status=status, statuses=endpoints.STATUSES)


@blueprint.get("/<name>/summary")
def show_summary(name: str) -> str:
    """Return the cells of a row that need calls of their own: variants, models and capacity."""
    target = current_target()
    endpoint = endpoints.describe_endpoint(target, name)
    return render_template("endpoints/summary_cells.html", variants=describe_variants(target, endpoint))


@blueprint.get("/<name>")
def show_endpoint(name: str) -> str:
    tab = request.args.get("tab", "overview")
    if tab not in TABS:
        abort(404, f"There is no part {tab!r} of this page.")
    endpoint, variants = _described(name)
    return render_template(
        "endpoints/endpoint.html",
        endpoint=endpoint,
        variants=variants,
        capture=capture_of(endpoint, variants),
        tabs=TABS,
        tab=tab,
        ranges=RANGES,
        range=choice("range", RANGES, "1h"),
    )


@blueprint.get("/<name>/events")
def follow_endpoint(name: str) -> Response:
    """Send status and variants of an endpoint that is changing, until it has changed."""
    target = current_target()

    def read() -> Update:
        endpoint, variants = _described(name)
        fragment = render_template("endpoints/state.html", endpoint=endpoint, variants=variants)
        return Update({"state": fragment}, is_final=not endpoint.is_changing)

    return stream(read, interval_of(target))


@blueprint.get("/<name>/metrics")
def show_metrics(name: str) -> str:
    names, within = request.args.getlist("variant"), RANGES[choice("range", RANGES, "1h")]
    metrics = endpoint_metrics.read_metrics(current_target(), name, names, within)
    plots = [
        (title, found, lines_over_time(found, axis, within, scale=scale), scale)
        for title, found, axis, scale in (
            (f"Invocations per {_period(within.period)}", metrics.invocations, "invocations", 1.0),
            (f"Errors per {_period(within.period)}", metrics.errors, "errors", 1.0),
            ("Latency", metrics.latency, "milliseconds", 0.001),
            ("Utilization of the instances", metrics.utilization, "percent", 1.0),
        )
        if found
    ]
    return render_template("endpoints/metrics.html", name=name, metrics=metrics, plots=plots, within=within)


@blueprint.get("/<name>/scaling")
def show_scaling(name: str) -> str:
    scaling = read_scaling(current_target(), name, request.args.getlist("variant"))
    return render_template("endpoints/scaling.html", scaling=scaling)


@blueprint.get("/<name>/requests")
def show_requests(name: str) -> str:
    """Return a page of captured requests."""
    uri, token = request.args["uri"], request.args.get("token", "")
    page = captures.newest_requests(current_target(), uri, page_size(), token)
    return render_template("endpoints/requests.html", name=name, page=page, uri=uri, is_first=not token)


@blueprint.get("/<name>/form")
def show_form(name: str) -> str:
    """Return the form that sends a record: a field for each feature, if the model has a schema."""
    target = current_target()
    endpoint, variants = _described(name)
    variant = _chosen(variants, request.args.get("variant", ""))
    fields, samples = call_all(
        lambda: invocation.read_fields(target, variant), lambda: invocation.read_samples(target, variant)
    )
    number = request.args.get("sample", 0, type=int) % len(samples.records) if samples.records else 0
    return render_template(
        "endpoints/form.html",
        endpoint=endpoint,
        variants=[item for item in variants if not item.is_shadow],
        variant=variant,
        fields=fields,
        sample=samples.records[number] if samples.records else {},
        expected=samples.predictions[number] if samples.records else {},
        number=number,
        samples=len(samples.records),
        content_types=CONTENT_TYPES,
    )


@blueprint.post("/<name>/invoke")
def invoke(name: str) -> str:
    """Send a request to the endpoint and return its answer."""
    form = request.form
    chosen = {key.removeprefix("feature."): text for key, text in form.items() if key.startswith("feature.")}
    if chosen:
        fields = [invocation.Field(feature, form.get(f"kind.{feature}", ""), ()) for feature in chosen]
        body, content_type = as_json([invocation.record_of(fields, chosen)]), JSON
    else:
        # browsers send lines of a text area with CRLF
        body, content_type = form.get("body", "").replace("\r\n", "\n").encode(), form.get("content_type") or JSON
    answer = invocation.send(
        current_runtime(),
        name,
        body,
        content_type,
        form.get("accept") or JSON,
        variant=form.get("variant", ""),
        explain="explain" in form,
        test="test" in form,
    )
    template = "answer.html" if request.headers.get("HX-Request") else "answer_page.html"
    sent = captures.as_payload(content_type, body)
    return render_template(f"endpoints/{template}", name=name, answer=answer, sent=sent)


def _described(name: str) -> tuple[endpoints.Endpoint, Sequence[Variant]]:
    target = current_target()
    endpoint = endpoints.describe_endpoint(target, name)
    return endpoint, describe_variants(target, endpoint)


def _chosen(variants: Sequence[Variant], name: str) -> Variant:
    answering = [variant for variant in variants if not variant.is_shadow]
    if not answering:
        abort(404, "The endpoint has no variant yet that could answer.")
    return next((variant for variant in answering if variant.name == name), answering[0])


def _period(seconds: int) -> str:
    if seconds >= 3600:
        return "hour" if seconds == 3600 else f"{seconds // 3600} hours"
    return "minute" if seconds == 60 else f"{seconds // 60} minutes"
