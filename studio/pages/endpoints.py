from flask import Blueprint

blueprint = Blueprint("endpoints", __name__, url_prefix="/endpoints")


@blueprint.get("")
def list_endpoints(**_: object) -> str:
    return "to do"


@blueprint.get("/<name>")
def show_endpoint(**_: object) -> str:
    return "to do"
