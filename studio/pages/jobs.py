from flask import Blueprint

blueprint = Blueprint("jobs", __name__, url_prefix="/jobs")


@blueprint.get("")
def list_jobs(**_: object) -> str:
    return "to do"


@blueprint.get("/<kind>/<name>")
def show_job(**_: object) -> str:
    return "to do"
