"""The commands that work with data and need no pipeline: examples, a first settings file, and a check of the data."""

from __future__ import annotations

import os
import webbrowser
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from examples import EXAMPLES, write_example
from project import registry
from project.commands import (
    JsonOption,
    LocalOption,
    Project,
    RegionOption,
    RoleOption,
    SettingsOption,
    command_options,
    errors_explained,
    print_result,
    project_command,
)
from project.display import console, output, plain_table
from project.errors import UserError
from project.s3_uris import is_s3_uri
from project.settings import load_settings
from project.settings_file import SETTINGS_NAME, open_settings
from project.target import Target, aws_target, local_target, readable_path


def example_data(
    name: Annotated[str, typer.Argument(metavar="NAME", help=f"Example: {', '.join(EXAMPLES)}.")],
    destination: Annotated[Path, typer.Option("--output", "-o", help="Folder to write to.")],
) -> None:
    """Write the data and settings of an example to a folder, as a start for your own project.

    Example: python -m pipelines example-data churn --output my-project
    """
    with errors_explained():
        if name not in EXAMPLES:
            raise UserError(f"unknown example {name!r}; choose one of {', '.join(EXAMPLES)}")
        try:
            paths = write_example(name, destination)
        except FileExistsError as error:
            raise UserError(f"{error} exists and is not the example's; remove it, or give another --output") from None
        for path in paths:
            output.print(str(path))


def init(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Table to train on: a file, or a folder of files.")],
    target: Annotated[
        str | None, typer.Option(help="Column to predict.", show_default="the one whose name says so, else the last")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the project.", show_default="that of the file or its folder")
    ] = None,
    destination: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File to write.", show_default=f"{SETTINGS_NAME} beside the data"),
    ] = None,
) -> None:
    """Write a settings file for a table. What its columns are is guessed from the first rows, with the reason.

    Example: python -m pipelines init customers.csv --target churned
    """
    # pandas takes longer to import than the other commands take to run
    from pipelines.new_project.guesses import guess
    from pipelines.new_project.sample import read_sample
    from pipelines.new_project.settings_text import project_name, settings_text

    with errors_explained():
        guesses = guess(read_sample(data), target)
        file = destination or data.parent / SETTINGS_NAME
        text = settings_text(
            name or project_name(data), os.path.relpath(data, file.parent).replace(os.sep, "/"), guesses
        )
        try:
            with file.open("x", encoding="utf-8") as stream:
                stream.write(text)
        except FileExistsError:
            raise UserError(f"{file} exists; give another file with --output, or remove it") from None
        except OSError as error:
            raise UserError(f"{file} cannot be written ({error.strerror}); give another file with --output") from None
        try:
            load_settings(file)
        except UserError as error:
            console.print(f"The settings need your hand before they are valid: {error}", markup=False, soft_wrap=True)
        output.print(text, markup=False, end="", soft_wrap=True)
        for note in guesses.notes:
            console.print(note, markup=False, soft_wrap=True)
        command = f"python -m pipelines check-data{command_options(file, local=False)}"
        console.print(f"Wrote {file}. Next: {command}", markup=False, soft_wrap=True)


def check_data(
    settings_file: SettingsOption = None,
    data: Annotated[
        str | None,
        typer.Option("--input", help="Data to check: a local path, or an s3:// URI.", show_default="data.input"),
    ] = None,
    destination: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Page to write.", show_default="NAME-data.html in the current folder"),
    ] = None,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    local: LocalOption = False,
    role_arn: RoleOption = None,
    region: RegionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Validate data as Preprocess would, without an execution, and write a page with a profile of the features.

    Exits with 1 if Preprocess would refuse the data.

    Example: python -m pipelines check-data --settings examples/churn/settings.yaml --open
    """
    from analyzer.reports.html import write_page
    from pipelines.data_check.page import data_page
    from pipelines.data_check.profile import read_profile
    from pipelines.data_check.validation import local_data, validated

    with errors_explained():
        settings, _ = open_settings(settings_file, local)
        location = data or settings.data.input
        with (
            local_data(location, _target(location, local, role_arn, region)) as path,
            console.status("Checking ..."),
            validated(settings, path) as validation,
        ):
            errors, warnings = validation.messages("error"), validation.messages("warning")
            profile = None if errors else read_profile(validation.output)
            page = destination or Path(f"{settings.name}-data.html")
            write_page(data_page(settings.name, validation, profile), page)
        suspects = [feature.name for feature in profile.features if feature.is_suspicious] if profile else []

        def show() -> None:
            table = plain_table("", "Finding")
            for kind, style, messages in (("error", "bold red", errors), ("warning", "yellow", warnings)):
                for message in messages:
                    # a message may have brackets, as in "set datetime_columns: [signup]"
                    table.add_row(f"[{style}]{kind}[/]", Text(message))
            for feature in suspects:
                table.add_row("[yellow]leak?[/]", Text(f"{feature} predicts the target almost by itself"))
            output.print(table if table.row_count else "No findings: the data can be used.")
            output.print(f"Profile: {readable_path(page)}", soft_wrap=True)

        content = {"errors": errors, "warnings": warnings, "leakage_suspects": suspects, "profile": page}
        print_result(content, as_json, show)
        if open_browser and not webbrowser.open(page.resolve().as_uri()):
            raise UserError(f"no browser can be started; open {page.resolve()} yourself")
        if errors:
            raise typer.Exit(1)


@project_command
def predict(
    project: Project,
    data: Annotated[Path, typer.Argument(metavar="FILE", help="Rows to predict: CSV with a header, or Parquet.")],
    version: Annotated[
        int | None,
        typer.Option(
            "--model-package", min=1, metavar="VERSION", help="Version to predict with.", show_default="latest approved"
        ),
    ] = None,
    destination: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="CSV or Parquet file to write.", show_default="FILE-predictions of the same format"
        ),
    ] = None,
    reasons: Annotated[
        int, typer.Option(min=0, max=100, help="Features to name for each prediction, by what they contribute to it.")
    ] = 0,
    as_json: JsonOption = False,
) -> None:
    """Predict the rows of a file with a registered model, on this machine and without an endpoint.

    Columns that are not features of the model, such as IDs, are kept before the predictions.

    Example: python -m pipelines predict new-customers.csv --model-package 3 --local
    """
    from pipelines.predictions import predict_file

    group = project.settings.model_package_group
    if version is None:
        package = registry.latest_approved(group, project.target)
        if package is None:
            raise UserError(f"model package group {group!r} has no approved version; give one with --model-package")
    else:
        package = registry.find_version(group, version, project.target)
    file = destination or data.with_name(
        f"{data.stem}-predictions{'.parquet' if data.suffix == '.parquet' else '.csv'}"
    )
    with console.status("Predicting ..."):
        result = predict_file(project.settings, project.target, package, data, file, reasons)
    if result.missing:
        console.print(
            f"{data} has no column for {', '.join(result.missing)}: missing in each row, and so predictions are less "
            "certain; check the names of the columns",
            markup=False,
            soft_wrap=True,
        )

    def show() -> None:
        kept = f", beside {', '.join(result.kept)}" if result.kept else ""
        output.print(
            f"{result.rows} predictions of version {result.version}{kept}: {readable_path(result.path)}", soft_wrap=True
        )

    print_result(asdict(result), as_json, show)


def _target(location: str | None, local: bool, role_arn: str | None, region: str | None) -> Target | None:
    """Connect to where the data is; None if it is on this machine."""
    if location is None or not is_s3_uri(location):
        return None
    return local_target() if local else aws_target(role_arn, None, region)
