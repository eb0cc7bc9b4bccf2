"""Data quality statistics as Model Monitor's statistics.json."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analyzer import QualityError
from analyzer.files.json_files import describe, read
from analyzer.performance.metrics.deviations import json_number
from analyzer.profile.number_state import SKETCH_K
from analyzer.profile.statistics import FeatureStatistics, NumberStatistics, Sketch, Statistics, StringStatistics

# The values that Model Monitor writes. Our sketches are made by Apache DataSketches, which uses 2/3 for c, but c only
# matters to programs that add values to the sketch.
SKETCH_PARAMETERS = {"c": 0.64, "k": float(SKETCH_K)}


def statistics_to_json(statistics: Statistics) -> dict[str, Any]:
    """Return the statistics.json document."""
    return {
        "version": 0.0,
        "dataset": {"item_count": statistics.item_count},
        "features": [_feature_to_json(feature) for feature in statistics.features],
    }


def _feature_to_json(feature: FeatureStatistics) -> dict[str, Any]:
    document: dict[str, Any] = {"name": feature.name, "inferred_type": feature.inferred_type}
    common = {"num_present": feature.present, "num_missing": feature.missing}
    if feature.numbers is not None:
        document["numerical_statistics"] = {"common": common, **_numbers_to_json(feature.numbers)}
    else:
        strings = feature.strings or StringStatistics(0, {})
        document["string_statistics"] = {
            "common": common,
            "distinct_count": strings.distinct_count,
            "distribution": {
                "categorical": {
                    "buckets": [{"value": value, "count": count} for value, count in strings.counts.items()]
                }
            },
        }
    return document


def _numbers_to_json(numbers: NumberStatistics) -> dict[str, Any]:
    return {
        # Sums of values near the limit of doubles overflow to infinity, which JSON cannot represent.
        "mean": json_number(numbers.mean),
        "sum": json_number(numbers.sum),
        "std_dev": json_number(numbers.std_dev),
        "min": numbers.min,
        "max": numbers.max,
        "distribution": {
            "kll": {
                "buckets": [
                    {"lower_bound": lower, "upper_bound": upper, "count": count}
                    for lower, upper, count in numbers.buckets()
                ],
                "sketch": {"parameters": SKETCH_PARAMETERS, "data": numbers.sketch.levels},
            }
        },
    }


def read_statistics(path: Path) -> Statistics:
    """Read a statistics.json of this analyzer or of Model Monitor.

    Raises:
        QualityError: The file does not exist or is not such a document.
    """
    document = read(path)
    try:
        return Statistics(
            int(document["dataset"]["item_count"]),
            tuple(_feature_from_json(feature) for feature in document["features"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise QualityError(f"{path} does not contain data quality statistics ({describe(error)})") from error


def _feature_from_json(document: Mapping[str, Any]) -> FeatureStatistics:
    numbers, strings = document.get("numerical_statistics"), document.get("string_statistics")
    common = (numbers or strings or {}).get("common", {"num_present": 0, "num_missing": 0})
    return FeatureStatistics(
        name=document["name"],
        inferred_type=document["inferred_type"],
        present=int(common["num_present"]),
        missing=int(common["num_missing"]),
        numbers=_numbers_from_json(numbers) if numbers and common["num_present"] else None,
        strings=_strings_from_json(strings) if strings and common["num_present"] else None,
    )


def _numbers_from_json(document: Mapping[str, Any]) -> NumberStatistics:
    levels = document["distribution"]["kll"]["sketch"]["data"]
    return NumberStatistics(
        mean=float(document["mean"]),
        sum=float(document["sum"]),
        std_dev=float(document["std_dev"]),
        min=float(document["min"]),
        max=float(document["max"]),
        sketch=Sketch(tuple(tuple(map(float, level)) for level in levels)),
    )


def _strings_from_json(document: Mapping[str, Any]) -> StringStatistics:
    buckets = document.get("distribution", {}).get("categorical", {}).get("buckets", [])
    counts = {str(bucket["value"]): int(bucket["count"]) for bucket in buckets}
    return StringStatistics.of_counts(counts, round(document["distinct_count"]))
