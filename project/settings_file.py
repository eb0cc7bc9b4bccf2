"""Which settings file a command works with, and the line that says so."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from project.display import console
from project.paths import DEFAULT_SETTINGS
from project.settings import Settings, load_settings
from project.target import remembered_settings

# looked for in the current folder
SETTINGS_NAME = "settings.yaml"


def open_settings(given: Path | None, local: bool = False) -> tuple[Settings, Path]:
    """Load the settings of a command, and print which project they are for.

    Without a file of its own, a command takes `settings.yaml` of the current folder, else the file of the last command
    on the same local SageMaker, else the default example.

    Args:
        given: The file of `--settings` or PIPELINE_SETTINGS.
        local: Whether the command works with the local SageMaker.

    Raises:
        UserError: The file cannot be read, or its content is invalid.
    """
    file, reason = given, ""
    if file is None and Path(SETTINGS_NAME).is_file():
        file = Path(SETTINGS_NAME)
    if file is None and local and (file := _last_used()) is not None:
        reason = ", as in the last command; give --settings for another project"
    if file is None:
        file, reason = DEFAULT_SETTINGS, ", the example; give --settings for your own project"
    settings = load_settings(file)
    console.print(f"Project {settings.name} ({_shown(file)}{reason})", style="dim", markup=False, soft_wrap=True)
    return settings, file


def remember_settings(file: Path, local: bool) -> None:
    """Keep the name of a settings file for later commands on the same local SageMaker, which must be running."""
    if local:
        # what cannot be written costs the user an option, and nothing else
        with suppress(OSError):
            remembered_settings().write_text(f"{file.absolute()}\n", encoding="utf-8")


def _last_used() -> Path | None:
    with suppress(OSError):
        file = Path(remembered_settings().read_text(encoding="utf-8").strip())
        if file.is_file():
            return file
    return None


def _shown(file: Path) -> Path:
    absolute = file.absolute()
    return absolute.relative_to(Path.cwd()) if absolute.is_relative_to(Path.cwd()) else absolute
