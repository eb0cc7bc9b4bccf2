"""The command `sagemaker-lightgbm`: one entry point for the commands of all packages.

A package is imported when one of its commands runs, so that `--help` does not wait for all of them.
"""

from __future__ import annotations

import importlib

import typer

app = typer.Typer(
    help="SageMaker Pipelines for tabular LightGBM models, on SageMaker and on this machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# the module that holds the Typer application, and the line that `--help` shows
GROUPS = {
    "pipelines": ("pipelines.__main__", "Define, upsert and run the pipelines, and approve the models they register."),
    "deployment": ("deployment.__main__", "Deploy approved models to endpoints, test them and send traffic."),
    "monitoring": ("monitoring.__main__", "Monitor endpoints: schedules, checks, ground truth and alarms."),
    "analyzer": ("analyzer.commands", "Analyze data quality, model quality and drift of files."),
    "infrastructure": ("infrastructure.__main__", "Deploy the CloudFormation stacks of a stage."),
    "studio": ("studio.__main__", "Serve web pages of pipelines, models, endpoints and monitoring."),
    "local": ("local_sagemaker.__main__", "Start, stop and inspect the local SageMaker."),
}


def _add_group(name: str, module: str, help: str) -> None:
    # all arguments are the group's own, --help included
    settings = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}

    @app.command(name, help=help, add_help_option=False, context_settings=settings)
    def run(context: typer.Context) -> None:
        importlib.import_module(module).app(context.args, prog_name=f"sagemaker-lightgbm {name}")


for _name, _group in GROUPS.items():
    _add_group(_name, *_group)


if __name__ == "__main__":
    app()
