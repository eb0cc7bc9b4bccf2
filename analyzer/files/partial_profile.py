"""Files with the profile of a part of a dataset, so that several instances can profile one dataset together.

The files are JSON. Sketches are BASE64 of Apache DataSketches' binary format, which its libraries in all languages and
versions read. Merging is exact for counts, extremes and moments (up to rounding), and within the sketches' error for
everything else.
"""

from __future__ import annotations

import base64
import math
from pathlib import Path
from typing import Any

import datasketches

from analyzer import QualityError
from analyzer.datasets.dataset import list_files
from analyzer.datasets.malformed_records import MalformedRecords, Skipped, SkippedRecord
from analyzer.files import json_files
from analyzer.profile.number_state import NumberState
from analyzer.profile.profile import ColumnState, Profile
from analyzer.profile.text_state import TextSketches, TextState

FORMAT = "profile"
VERSION = 1


def file_name(host: str) -> str:
    """Return the file name of an instance's profile in the folder that all instances share."""
    return f"profile-{host}.json"


def write_partial(folder: Path, host: str, profile: Profile, skipped: Skipped) -> None:
    """Write an instance's profile. Raises QualityError if the folder is not writable."""
    json_files.write(folder, {file_name(host): to_json(profile, skipped)})


def merge_partials(source: Path, malformed: MalformedRecords) -> Profile:
    """Merge partial profiles to the profile of the whole dataset.

    Args:
        source: Folder of the partial profiles.
        malformed: Adds up the malformed records of all parts.

    Raises:
        QualityError: No files were found, or a file is not a partial profile.
    """
    whole = Profile()
    for path in list_files(source):
        profile, skipped = _from_json(json_files.read(path), path)
        whole.merge(profile)
        malformed.merge(skipped)
    whole.resolve_mixed_columns()
    if whole.records == 0:
        raise QualityError(f"the profiles in {source} have no records; check the dataset that they were made from")
    return whole


def to_json(profile: Profile, skipped: Skipped) -> dict[str, Any]:
    """Return the document of a partial profile."""
    return {
        "version": VERSION,
        "records": profile.records,
        "skipped": {
            "count": skipped.count,
            "limit": skipped.limit,
            "samples": [vars(sample) for sample in skipped.samples],
            "test_requests": skipped.test_requests,
        },
        "columns": [
            {"name": name, "numbers": _numbers_to_json(state.numbers), "texts": _texts_to_json(state.texts)}
            for name, state in profile.columns.items()
        ],
    }


def _from_json(document: dict[str, Any], path: Path) -> tuple[Profile, Skipped]:
    try:
        if document["version"] != VERSION:
            raise ValueError(f"version {document['version']!r} instead of {VERSION}")
        columns = {
            column["name"]: ColumnState(_numbers_from_json(column["numbers"]), _texts_from_json(column["texts"]))
            for column in document["columns"]
        }
        skipped = document["skipped"]
        samples = tuple(SkippedRecord(**sample) for sample in skipped["samples"])
        return Profile(int(document["records"]), columns), Skipped(
            skipped["count"], skipped["limit"], samples, skipped.get("test_requests", 0)
        )
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise QualityError(f"{path} is not a partial profile of this analyzer ({error}); create it again") from error


def _numbers_to_json(state: NumberState) -> dict[str, Any] | None:
    if state.count == 0 and state.infinite == 0:
        return None
    return {
        "count": state.count,
        "whole": state.whole,
        "infinite": state.infinite,
        "has_fractional_type": state.has_fractional_type,
        # JSON has no infinity. Sums can overflow to it, and the extremes of no values are infinite.
        **{
            name: value if math.isfinite(value := getattr(state, name)) else str(value)
            for name in ("sum", "mean", "squares", "min", "max")
        },
        "sketch": _encode(state.sketch.serialize()),
    }


def _numbers_from_json(document: dict[str, Any] | None) -> NumberState:
    if document is None:
        return NumberState()
    return NumberState(
        count=int(document["count"]),
        whole=int(document["whole"]),
        infinite=int(document["infinite"]),
        has_fractional_type=bool(document["has_fractional_type"]),
        **{name: float(document[name]) for name in ("sum", "mean", "squares", "min", "max")},
        sketch=datasketches.kll_doubles_sketch.deserialize(_decode(document["sketch"])),
    )


def _texts_to_json(state: TextState) -> dict[str, Any] | None:
    if state.count == 0:
        return None
    return {
        "count": state.count,
        "integral": state.integral,
        "fractional": state.fractional,
        "counts": [[text, count] for text, count in state.counts.items()],
        "sketches": None
        if state.sketches is None
        else {
            "distinct": _encode(state.sketches.distinct.serialize_compact()),
            "frequent": _encode(state.sketches.frequent.serialize()),
        },
    }


def _texts_from_json(document: dict[str, Any] | None) -> TextState:
    if document is None:
        return TextState()
    sketches = document["sketches"]
    return TextState(
        count=int(document["count"]),
        integral=int(document["integral"]),
        fractional=int(document["fractional"]),
        counts={text: int(count) for text, count in document["counts"]},
        sketches=None
        if sketches is None
        else TextSketches(
            distinct=datasketches.hll_sketch.deserialize(_decode(sketches["distinct"])),
            frequent=datasketches.frequent_strings_sketch.deserialize(_decode(sketches["frequent"])),
        ),
    )


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _decode(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
