from flask import Blueprint

blueprint = Blueprint("executions", __name__, url_prefix="/executions")


@blueprint.get("")
def list_executions(**_: object) -> str:
    return "to do"


@blueprint.get("/<name>/<execution>")
def show_execution(**_: object) -> str:
    return "to do"
