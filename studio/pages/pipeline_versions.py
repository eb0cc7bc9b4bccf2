"""Versions of a pipeline's definition, and the difference of two."""

from __future__ import annotations

from flask import Blueprint, render_template, request

from studio.paging import page_request
from studio.queries import pipeline_versions
from studio.queries.pipelines import describe_pipeline
from studio.target import call_all, current_target

blueprint = Blueprint("pipeline_versions", __name__, url_prefix="/pipelines")


@blueprint.get("/<name>/versions")
def list_versions(name: str) -> str:
    target, paging = current_target(), page_request()
    pipeline, page = call_all(
        lambda: describe_pipeline(target, name), lambda: pipeline_versions.list_versions(target, name, paging)
    )
    numbers = [version.number for version in page.items]
    # by default, the changes of the latest version on the page
    after = request.args.get("after", default=numbers[0] if numbers else None, type=int)
    before = request.args.get("before", default=numbers[1] if len(numbers) > 1 else None, type=int)
    changes = None
    if before is not None and after is not None:
        changes = pipeline_versions.difference(target, name, before, after)
    return render_template(
        "pipelines/versions.html", pipeline=pipeline, page=page, before=before, after=after, changes=changes
    )
