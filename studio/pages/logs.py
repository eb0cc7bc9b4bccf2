from flask import Blueprint

blueprint = Blueprint("logs", __name__, url_prefix="/logs")


@blueprint.get("")
def list_groups(**_: object) -> str:
    return "to do"
