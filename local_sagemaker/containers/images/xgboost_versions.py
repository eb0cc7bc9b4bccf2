"""The XGBoost that an image has, and which models need it.

XGBoost reads neither pickles of versions before 1.0 nor, since 3.1, its own binary format, in which images up to 1.7
save models. Such a model is served by the version of its image.
"""

from __future__ import annotations

from pathlib import Path

# by the beginning of the tag, such as 0.90-2-cpu-py3; the first match applies
_VERSIONS = {
    "0.": "0.90",
    "1.0": "1.0.2",
    "1.2": "1.2.1",
    "1.3": "1.3.3",
    "1.5": "1.5.2",
    "1.7": "1.7.6",
    # the repository of the first images had the tags 1 and latest
    "1": "0.90",
    "latest": "0.90",
}
MODEL_NAME = "xgboost-model"
BEFORE_1_3 = ("0.90", "1.0.2", "1.2.1")


def version_of(tag: str) -> str | None:
    """Return the version of XGBoost in an image; None for an image with a recent one."""
    return next((version for start, version in _VERSIONS.items() if tag.startswith(start)), None)


def environment(tag: str) -> dict[str, str]:
    """Return the variables by which the built-in algorithm learns that its image is older than 1.3.

    Those save models as pickles, and separate the predictions for several records by commas instead of lines.
    """
    return {"XGBOOST_BEFORE_1_3": "true"} if version_of(tag) in BEFORE_1_3 else {}


def needs_its_version(folder: Path) -> bool:
    """Return whether a folder has a model that a recent XGBoost cannot load."""
    path = folder / MODEL_NAME
    if not path.is_file():
        return False
    content = path.read_bytes()
    # JSON and UBJSON begin with a brace; from 1.7, pickles contain UBJSON
    return not (content.startswith(b"{") or b"Config{" in content)
