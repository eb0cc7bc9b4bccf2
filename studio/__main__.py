"""The command that serves the pages."""

from __future__ import annotations

import secrets
from typing import Annotated

import typer

from project.commands import LocalOption, RegionOption, errors_explained
from project.target import account_target, local_target

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
# kept from start to start, so that bookmarks stay valid
PORT = 8765


@app.command()
def studio(
    local: LocalOption = False,
    region: RegionOption = None,
    port: Annotated[
        int | None,
        typer.Option(
            "--port", min=0, max=65535, help="Port on 127.0.0.1; 0 for a free one.", show_default=f"{PORT}, if free"
        ),
    ] = None,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Show everything, but start, stop, approve and invoke nothing.")
    ] = False,
) -> None:
    """Serve web pages of pipelines, executions, models, endpoints and monitoring, until interrupted.

    Examples:
      python -m studio --local
      AWS_PROFILE=production python -m studio --read-only
    """
    with errors_explained():
        target = local_target() if local else account_target(region)
        # Flask takes a moment
        from studio.app import create_app
        from studio.server import HOST, make_studio_server

        # the local SageMaker lets every user of this machine in, too
        access_token = None if local else secrets.token_urlsafe(16)
        pages = create_app(target, access_token=access_token, read_only=read_only)
        server = make_studio_server(pages, *((PORT, 0) if port is None else (port,)))
        query = f"?access_token={access_token}" if access_token else ""
        print(f"Studio  http://{HOST}:{server.port}/{query}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    app()
