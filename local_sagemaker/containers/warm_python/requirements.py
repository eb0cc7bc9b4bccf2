"""`pip install` of requirements that are already installed, without pip, which takes a second to check them."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

# the variables of pip that containers set; with others, pip itself is run
SETTINGS = frozenset(
    ("PIP_CONFIG_FILE", "PIP_DISABLE_PIP_VERSION_CHECK", "PIP_NO_INDEX", "PIP_PREFIX", "PIP_ROOT_USER_ACTION")
)
QUIET = ("-q", "--quiet")
# options that have no effect if nothing has to be installed
WITHOUT_EFFECT = (
    "--disable-pip-version-check",
    "--no-cache-dir",
    "--no-input",
    "--retries=1",
    "--root-user-action=ignore",
    "--timeout=10",
)


def already_satisfied(arguments: list[str], environment: Mapping[str, str]) -> list[str] | None:
    """Return the output of a pip command whose requirements are all installed.

    Args:
        arguments: Pip's arguments. Supported are `install` with names, requirements files and the simplest options,
            and requirements without URLs.
        environment: The command's environment variables.

    Returns:
        The lines that pip would print; None if pip itself has to run.
    """
    if arguments[:1] != ["install"] or any(name.startswith("PIP_") for name in environment.keys() - SETTINGS):
        return None
    try:
        lines = list(_satisfied(_requirements(arguments[1:])))
    except (_PipRequired, metadata.PackageNotFoundError, ImportError, OSError, ValueError):
        return None
    return [] if any(argument in QUIET for argument in arguments) else lines


class _PipRequired(Exception):
    """A requirement is not installed, or only pip can process it."""


def _requirements(arguments: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the requirements of a command line and their origins in pip's words."""
    rest = iter(arguments)
    for argument in rest:
        if argument in ("-r", "--requirement"):
            yield from _file_requirements(next(rest, ""))
        elif argument.startswith("--requirement="):
            yield from _file_requirements(argument.removeprefix("--requirement="))
        elif not argument.startswith("-"):
            yield argument, ""
        elif argument not in (*QUIET, *WITHOUT_EFFECT):
            raise _PipRequired


def _file_requirements(path: str) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
        text = re.sub(r"(^|\s)#.*", "", line).strip()
        if text.startswith("-") or text.endswith("\\") or "${" in text:
            raise _PipRequired
        if text:
            yield text, f"-r {path} (line {number})"


def _satisfied(requirements: Iterator[tuple[str, str]]) -> Iterator[str]:
    """Yield pip's lines for requirements and their dependencies. Raises _PipRequired."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    pending = deque((Requirement(text), "", origin) for text, origin in requirements)
    if not pending:
        raise _PipRequired
    seen = set()
    while pending:
        requirement, extra, origin = pending.popleft()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        distribution = metadata.distribution(requirement.name)
        if requirement.url or not requirement.specifier.contains(distribution.version, prereleases=True):
            raise _PipRequired
        requirement.marker = None
        name = canonicalize_name(requirement.name)
        if (name, "") not in seen:
            place = f"{requirement} in {distribution.locate_file('')}{origin and f' (from {origin})'}"
            yield f"Requirement already satisfied: {place} ({distribution.version})"
        for part in {"", *requirement.extras}:
            if (name, part) not in seen:
                seen.add((name, part))
                needs = map(Requirement, distribution.requires or [])
                pending.extend((need, part, f"{requirement}{origin and f'->{origin}'}") for need in needs)
