"""Definitions that this machine has built before.

Building a definition imports the SageMaker SDK, which takes seconds. A definition is a function of the code of this
repository, the settings, the target and the SDK; its file in the cache is named by the hash of them all.
"""

from __future__ import annotations

import functools
import hashlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import platformdirs

from pipelines.bundles import Bundle
from pipelines.commit import current_commit
from pipelines.inputs import input_uri
from project.paths import REPOSITORY
from project.settings import Settings
from project.target import Target

_MAX_FILES = 100


def cached_definition(
    settings: Settings, target: Target, pipeline: str, bundles: Iterable[Bundle], build: Callable[[], str]
) -> str:
    """Return the cached definition of one of PIPELINES; build it, and cache it, if it is not cached.

    Args:
        settings: Settings of the project.
        target: Account or local SageMaker that the definition is for.
        pipeline: Name of the pipeline.
        bundles: Bundles that the definition may refer to.
        build: Builds the definition.
    """
    folder = platformdirs.user_cache_path("sagemaker-lightgbm") / "definitions"
    file = folder / f"{_digest(settings, target, pipeline, bundles)}.json"
    with suppress(OSError, ValueError):
        text = file.read_text(encoding="utf-8")
        json.loads(text)
        file.touch()
        return text
    definition = build()
    # a cache that cannot be written costs time, and nothing else
    with suppress(OSError):
        _write(file, definition)
        _prune(folder)
    return definition


def _digest(settings: Settings, target: Target, pipeline: str, bundles: Iterable[Bundle]) -> str:
    content = hashlib.sha256()
    for part in _parts(settings, target, pipeline, bundles):
        content.update(f"{len(part)}\0{part}".encode())
    return content.hexdigest()


def _parts(settings: Settings, target: Target, pipeline: str, bundles: Iterable[Bundle]) -> Iterator[str]:
    """Yield everything that a definition depends on."""
    yield from (pipeline, target.role_arn, target.job_role_arn or "", target.bucket, target.region)
    yield settings.model_dump_json()
    if settings.data.input is not None:
        yield input_uri(settings.data.input, "")
    yield current_commit()
    for bundle in bundles:
        yield bundle.digest
    for room in ("pipelines", "project"):
        for path in sorted((REPOSITORY / room).rglob("*.py")):
            yield str(path.relative_to(REPOSITORY))
            yield hashlib.sha256(path.read_bytes()).hexdigest()
    yield sys.version
    yield from _sdk_versions()


@functools.cache
def _sdk_versions() -> list[str]:
    """Return names and versions of the SDK's distributions, without reading the metadata of all that are installed."""
    return sorted({path.name for folder in sys.path for path in Path(folder).glob("sagemaker*.dist-info")})


def _write(file: Path, definition: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=file.parent, suffix=".part", delete=False) as temporary:
        temporary.write(definition)
    Path(temporary.name).replace(file)


def _prune(folder: Path) -> None:
    """Delete the files that were not used for longest."""
    files = sorted(folder.iterdir(), key=lambda file: file.stat().st_mtime, reverse=True)
    for file in files[_MAX_FILES:]:
        file.unlink(missing_ok=True)
