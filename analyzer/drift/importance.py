"""Feature importance of a model, used to rank drifted features."""

from __future__ import annotations

import io
import json
import math
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from analyzer import QualityError


def read_importance(path: Path) -> dict[str, float]:
    """Read each feature's share of the total importance, 0 to 1.

    Args:
        path: A LightGBM model (model.txt, or a model.tar.gz with model.txt and schema.json), whose importance is the
            total gain of the splits, as in ``Booster.feature_importance("gain")``. Or a JSON object of numbers by
            feature.

    Raises:
        QualityError: The file is none of these.
    """
    try:
        if tarfile.is_tarfile(path):
            gains = _gains_from_archive(path)
        else:
            text = path.read_text(encoding="utf-8")
            gains = (
                _values_from_object(json.loads(text))
                if text.lstrip().startswith("{")
                else _gains_from_model(io.StringIO(text))
            )
    except (OSError, EOFError, ValueError, KeyError, tarfile.TarError) as error:
        raise QualityError(
            f"{path} has no feature importance ({error}); use model.txt, model.tar.gz or JSON with a number per feature"
        ) from error
    total = sum(gains.values())
    return {name: gain / total if total else 0.0 for name, gain in gains.items()}


def _gains_from_archive(path: Path) -> dict[str, float]:
    with tarfile.open(path) as archive:
        members = {member.name.removeprefix("./"): member for member in archive.getmembers() if member.isfile()}
        contents = {}
        for name in ("model.txt", "schema.json"):
            file = archive.extractfile(members[name])
            contents[name] = file.read().decode("utf-8") if file else ""
    schema = json.loads(contents["schema.json"])
    columns = schema.get("columns", schema["features"])
    # LightGBM replaces spaces in names in its own file.
    gains = _gains_from_model(io.StringIO(contents["model.txt"]), [column["name"] for column in columns])
    # A feature has the gains of all columns that are derived from it alone.
    of_features: dict[str, float] = {}
    for column in columns:
        source = column.get("source", column["name"])
        of_features[source] = of_features.get(source, 0.0) + gains[column["name"]]
    return of_features


def _gains_from_model(lines: Iterable[str], names: Sequence[str] = ()) -> dict[str, float]:
    gains: dict[int, float] = {}
    split: list[int] = []
    for line in lines:
        key, _, value = line.strip().partition("=")
        if key == "feature_names":
            names = names or value.split()
        elif key == "split_feature":
            split = [int(feature) for feature in value.split()]
        elif key == "split_gain":
            for feature, gain in zip(split, value.split(), strict=True):
                gains[feature] = gains.get(feature, 0.0) + float(gain)
    if not names:
        raise ValueError("not a LightGBM model")
    return {name: gains.get(index, 0.0) for index, name in enumerate(names)}


def _values_from_object(document: object) -> dict[str, float]:
    if not isinstance(document, Mapping):
        raise ValueError("not a JSON object")
    shares = {str(name): float(value) for name, value in document.items()}
    if any(value < 0 or not math.isfinite(value) for value in shares.values()):
        raise ValueError("an importance is negative or not finite")
    return shares
