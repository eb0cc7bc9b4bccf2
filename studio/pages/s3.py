from flask import Blueprint

blueprint = Blueprint("s3", __name__, url_prefix="/s3")


@blueprint.get("")
def list_buckets(**_: object) -> str:
    return "to do"


@blueprint.get("/<bucket>/<path:key>")
def browse(**_: object) -> str:
    return "to do"
