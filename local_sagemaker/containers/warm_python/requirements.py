"""`pip install` of what is installed already, without pip, which takes a second to find that out."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

# what the container itself sets: with any other of pip's settings, pip is asked
SETTINGS = frozenset(
    ("PIP_CONFIG_FILE", "PIP_DISABLE_PIP_VERSION_CHECK", "PIP_NO_INDEX", "PIP_PREFIX", "PIP_ROOT_USER_ACTION")
)
QUIET = ("-q", "--quiet")
# options that change nothing where nothing is installed
WITHOUT_EFFECT = ("--disable-pip-version-check", "--no-cache-dir", "--no-input", "--root-user-action=ignore")


def already_satisfied(arguments: list[str], environment: Mapping[str, str]) -> list[str] | None:
    """What `pip ARGUMENTS` would print if it only had to say that all is installed; None where pip has to be asked.

    It knows `install` of names and requirements files with the simplest options, and requirements without URLs.
    """
    if arguments[:1] != ["install"] or any(name.startswith("PIP_") for name in environment.keys() - SETTINGS):
        return None
    try:
        lines = list(_satisfied(_wanted(arguments[1:])))
    except (_AskPip, metadata.PackageNotFoundError, ImportError, OSError, ValueError):
        return None
    return [] if any(argument in QUIET for argument in arguments) else lines


class _AskPip(Exception):
    """Something that is missing, or that only pip understands."""


def _wanted(arguments: list[str]) -> Iterator[tuple[str, str]]:
    """The requirements of a command line and, as pip words it, where each comes from."""
    rest = iter(arguments)
    for argument in rest:
        if argument in ("-r", "--requirement"):
            yield from _listed(next(rest, ""))
        elif argument.startswith("--requirement="):
            yield from _listed(argument.removeprefix("--requirement="))
        elif not argument.startswith("-"):
            yield argument, ""
        elif argument not in (*QUIET, *WITHOUT_EFFECT):
            raise _AskPip


def _listed(path: str) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
        text = re.sub(r"(^|\s)#.*", "", line).strip()
        if text.startswith("-") or text.endswith("\\") or "${" in text:
            raise _AskPip
        if text:
            yield text, f"-r {path} (line {number})"


def _satisfied(wanted: Iterator[tuple[str, str]]) -> Iterator[str]:
    """Pip's lines on the requirements and on all that they need in turn, as it words them. Raises _AskPip."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    todo = deque((Requirement(text), "", origin) for text, origin in wanted)
    if not todo:
        raise _AskPip
    seen = set()
    while todo:
        requirement, extra, origin = todo.popleft()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        distribution = metadata.distribution(requirement.name)
        if requirement.url or not requirement.specifier.contains(distribution.version, prereleases=True):
            raise _AskPip
        requirement.marker = None
        name = canonicalize_name(requirement.name)
        if (name, "") not in seen:
            place = f"{requirement} in {distribution.locate_file('')}{origin and f' (from {origin})'}"
            yield f"Requirement already satisfied: {place} ({distribution.version})"
        for part in {"", *requirement.extras}:
            if (name, part) not in seen:
                seen.add((name, part))
                needs = map(Requirement, distribution.requires or [])
                todo.extend((need, part, f"{requirement}{origin and f'->{origin}'}") for need in needs)
