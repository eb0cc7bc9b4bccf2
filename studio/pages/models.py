"""Model packages: groups, the versions of one, and one version with its metrics, lineage, reports and approval."""

from __future__ import annotations

from botocore.exceptions import ClientError
from flask import Blueprint, abort, redirect, render_template, request
from werkzeug.wrappers import Response

from project import registry
from project.target import Target
from studio.links import address_of
from studio.paging import choice, page_request
from studio.queries import model_metrics, models
from studio.queries.lineage import find_reports, training_code, training_job
from studio.queries.rules import rules_of_approval
from studio.queries.serving import serving_models
from studio.target import call_all, call_each, current_target

blueprint = Blueprint("models", __name__, url_prefix="/models")

# versions whose metrics are read by one request; each takes a call or two
METRICS_AT_ONCE = 25
# no group can have this name
PARTS = "/-"


@blueprint.get("")
def list_groups() -> str:
    name = request.args.get("name", "").strip()
    page = models.list_groups(current_target(), name, page_request("CreationTime"))
    return render_template("models/groups.html", page=page, name=name)


@blueprint.get(f"{PARTS}/summary")
def show_summary() -> str:
    """Return the cells of a group's row that need calls of their own: its latest and its latest approved version."""
    target, group = current_target(), request.args["group"]
    latest, approved = call_all(
        lambda: models.latest_version(target, group), lambda: models.latest_version(target, group, "Approved")
    )
    return render_template("models/summary_cells.html", latest=latest, approved=approved)


@blueprint.get("/<group>")
def show_group(group: str) -> str:
    target = current_target()
    chosen = choice("approval", models.APPROVAL_STATUSES)
    paging = page_request("CreationTime")
    described, page = call_all(
        lambda: models.describe_group(target, group), lambda: models.list_versions(target, group, chosen, paging)
    )
    # those of the first row decide on the columns
    names = list(_metrics_of(target, page.items[0].arn))[: model_metrics.MAX_METRICS] if page.items else []
    arns = [version.arn for version in page.items]
    return render_template(
        "models/group.html",
        group=described,
        page=page,
        names=names,
        chosen=chosen,
        statuses=models.APPROVAL_STATUSES,
        parts=[arns[start : start + METRICS_AT_ONCE] for start in range(0, len(arns), METRICS_AT_ONCE)],
    )


@blueprint.get(f"{PARTS}/table-metrics")
def show_table_metrics() -> str:
    """Return the cells of the metrics of several versions."""
    target = current_target()
    arns, names = request.args.getlist("arn")[:METRICS_AT_ONCE], request.args.getlist("name")
    found = call_each(lambda arn: _metrics_of(target, arn), arns)
    numbers = [arn.rpartition("/")[2] for arn in arns]
    return render_template("models/table_metrics.html", rows=list(zip(numbers, found, strict=True)), names=names)


@blueprint.get(f"{PARTS}/table-serving")
def show_table_serving() -> str:
    """Return the cells of the endpoints that serve versions of a group."""
    group, serving = request.args["group"], serving_models(current_target())
    by_version: dict[str, list[object]] = {}
    for item in serving.items:
        name, _, number = item.package_arn.partition(":model-package/")[2].rpartition("/")
        if name == group.lower() or name == group:
            by_version.setdefault(number, []).append(item)
    return render_template("models/table_serving.html", by_version=by_version, is_complete=serving.is_complete)


@blueprint.get("/<group>/<int:version>")
def show_version(group: str, version: int) -> str:
    return _package_page(models.describe_version(current_target(), group, version))


@blueprint.get(f"{PARTS}/package/<name>")
def show_package(name: str) -> str:
    """Show a model package without versions."""
    return _package_page(models.describe_package(current_target(), name))


@blueprint.get(f"{PARTS}/metrics")
def show_metrics() -> str:
    package = _package()
    evaluation = model_metrics.evaluated_metrics(current_target(), package.description)
    return render_template("models/metrics.html", package=package, evaluation=evaluation)


@blueprint.get(f"{PARTS}/lineage")
def show_lineage() -> str:
    package = _package()
    job = training_job(current_target(), package)
    return render_template(
        "models/lineage.html",
        package=package,
        job=job,
        code=training_code(job) if job else "",
        data=[(item.name, item.value) for item in job.inputs if item.name != "code"] if job else [],
    )


@blueprint.get(f"{PARTS}/serving")
def show_serving() -> str:
    serving = serving_models(current_target())
    items = serving.of(request.args["arn"])
    return render_template("models/serving.html", items=items, is_complete=serving.is_complete)


@blueprint.get(f"{PARTS}/reports")
def show_reports() -> str:
    package = _package()
    reports = find_reports(current_target(), package)
    given = request.args.get("report", "")
    chosen = given if given in reports else next(iter(reports), "")
    return render_template("models/reports.html", package=package, reports=reports, chosen=chosen)


@blueprint.get(f"{PARTS}/consequences")
def show_consequences() -> str:
    """Return the EventBridge rules that a change of the approval status triggers."""
    package, approval = _package(), _given_approval(request.args.get("approval", ""))
    rules = rules_of_approval(current_target(), package, approval)
    return render_template("models/consequences.html", rules=rules, approval=approval)


@blueprint.post(f"{PARTS}/approval")
def set_approval() -> Response:
    approval = _given_approval(request.form.get("approval", ""))
    # the API takes a single line
    comment = " ".join(request.form.get("comment", "").split())[: models.MAX_COMMENT_CHARACTERS]
    package = models.describe_package(current_target(), request.form["arn"])
    registry.set_approval(package.arn, approval, comment, current_target())
    return redirect(address_of(package.arn) or "/", 303)


def _package() -> models.ModelPackage:
    return models.describe_package(current_target(), request.args["arn"])


def _package_page(package: models.ModelPackage) -> str:
    return render_template(
        "models/version.html",
        package=package,
        statuses=[item for item in models.APPROVAL_STATUSES if item != package.description.get("ModelApprovalStatus")],
        max_characters=models.MAX_COMMENT_CHARACTERS,
    )


def _given_approval(value: str) -> str:
    if value not in models.APPROVAL_STATUSES:
        abort(400, f"The approval status {value[:100]!r} is not one of {', '.join(models.APPROVAL_STATUSES)}.")
    return value


def _metrics_of(target: Target, arn: str) -> dict[str, float | None]:
    """Return the metrics of a version for a table: from its metadata, else from its file of metrics."""
    try:
        description = models.describe_package(target, arn).description
        if registered := model_metrics.registered_metrics(description):
            return dict(registered)
        evaluation = model_metrics.evaluated_metrics(target, description)
    except ClientError:
        # the page of the version says why
        return {}
    return {metric.name: metric.value for metric in evaluation.metrics}
