from flask import Blueprint

blueprint = Blueprint("models", __name__, url_prefix="/models")


@blueprint.get("")
def list_groups(**_: object) -> str:
    return "to do"


@blueprint.get("/<group>")
def show_group(**_: object) -> str:
    return "to do"


@blueprint.get("/<group>/<int:version>")
def show_version(**_: object) -> str:
    return "to do"
