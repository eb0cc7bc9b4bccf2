"""How much each feature matters to a model, so that drift of what matters comes first."""

from __future__ import annotations

import io
import json
import math
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from analyzer import QualityError


def read_importance(path: Path) -> dict[str, float]:
    """Each feature's share of the importance, 0 to 1.

    Args:
        path: a LightGBM model (model.txt, or a model.tar.gz that holds it, with the features' names in schema.json):
            the shares are those of the total gain of all splits, as ``Booster.feature_importance("gain")`` has it. Or
            a JSON object of numbers by feature.

    Raises:
        QualityError: the file is none of these.
    """
    try:
        if tarfile.is_tarfile(path):
            gains = _of_archive(path)
        else:
            text = path.read_text(encoding="utf-8")
            gains = _of_object(json.loads(text)) if text.lstrip().startswith("{") else _of_model(text.splitlines())
    except (OSError, EOFError, ValueError, KeyError, tarfile.TarError) as error:
        raise QualityError(
            f"{path} tells no feature importance ({error}); give model.txt, model.tar.gz, or JSON of numbers by feature"
        ) from error
    total = sum(gains.values())
    return {name: gain / total if total else 0.0 for name, gain in gains.items()}


def _of_archive(path: Path) -> dict[str, float]:
    with tarfile.open(path) as archive:
        members = {member.name.removeprefix("./"): member for member in archive.getmembers() if member.isfile()}
        contents = {}
        for name in ("model.txt", "schema.json"):
            file = archive.extractfile(members[name])
            contents[name] = file.read().decode("utf-8") if file else ""
    # LightGBM's own file has no spaces in names.
    names = [feature["name"] for feature in json.loads(contents["schema.json"])["features"]]
    return _of_model(io.StringIO(contents["model.txt"]), names)


def _of_model(lines: Iterable[str], names: Sequence[str] = ()) -> dict[str, float]:
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
        raise ValueError("it is no LightGBM model")
    return {name: gains.get(index, 0.0) for index, name in enumerate(names)}


def _of_object(document: object) -> dict[str, float]:
    if not isinstance(document, Mapping):
        raise ValueError("it holds no object")
    shares = {str(name): float(value) for name, value in document.items()}
    if any(value < 0 or not math.isfinite(value) for value in shares.values()):
        raise ValueError("an importance is negative or not finite")
    return shares
