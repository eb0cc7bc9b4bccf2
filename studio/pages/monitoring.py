from flask import Blueprint

blueprint = Blueprint("monitoring", __name__, url_prefix="/monitoring")


@blueprint.get("")
def list_schedules(**_: object) -> str:
    return "to do"


@blueprint.get("/<name>")
def show_schedule(**_: object) -> str:
    return "to do"
