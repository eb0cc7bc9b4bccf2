"""Options and look-ups that the commands of `python -m deployment` share."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Literal

import typer

from deployment import endpoints
from deployment.endpoints import Endpoint, ServedVariant
from deployment.records import Records, read_records, training_records
from project import registry
from project.commands import Project
from project.errors import UserError

StageOption = Annotated[
    Literal["staging", "prod"] | None,
    typer.Option(help="Use the endpoint of this stage, NAME-STAGE."),
]
InputOption = Annotated[
    str | None,
    typer.Option(
        "--input",
        metavar="CSV",
        show_default="the records the model was trained on",
        help="Records to send: a CSV file with a header, at a path or an s3:// URI.",
    ),
]


def endpoint_name(project: Project, name: str | None, stage: str | None) -> str:
    """Return the endpoint's name as given by --endpoint and --stage; the project's name by default."""
    return "-".join(filter(None, [name or project.settings.name, stage]))


def find_endpoint(project: Project, name: str | None, stage: str | None) -> Endpoint:
    """Describe the endpoint given by --endpoint and --stage.

    Raises:
        UserError: The endpoint does not exist, or it belongs to another project.
    """
    return endpoints.project_endpoint(project.settings, project.target, endpoint_name(project, name, stage))


def find_variants(project: Project, endpoint: Endpoint) -> list[ServedVariant]:
    """Return the endpoint's variants; an empty list while the endpoint has no configuration."""
    return endpoints.served_variants(project.target, endpoint) if endpoint.config else []


def load_records(project: Project, endpoint: Endpoint, location: str | None, others: Collection[str] = ()) -> Records:
    """Read the records to send: of --input, or else those the endpoint's model was trained on.

    Args:
        project: Settings and target.
        endpoint: The endpoint to send them to.
        location: The value of --input.
        others: Columns of --input to send besides the features.

    Raises:
        UserError: The records can't be read, or the endpoint's model package is unknown.
    """
    if location is not None:
        return read_records(project.settings, project.target, location, others)
    package = find_variants(project, endpoint)[0].package
    if not package:
        raise UserError(f"the model package of endpoint {endpoint.name!r} is unknown; give records with --input")
    return training_records(project.settings, project.target, registry.describe_package(package, project.target))
