"""Data and options of the skew test: a table with every kind of column, and the options that concern them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

BINARY, MULTICLASS = "BinaryClassification", "MulticlassClassification"
REGRESSION, RANKING = "Regression", "Ranking"
PROBLEMS = (BINARY, MULTICLASS, REGRESSION)
ROWS = 700
# Columns that are in every table; the others are in those of the options that name them.
COMMON = ("row", "size", "count", "colour", "active", "target")
# The test split has to be large enough for the paths that handle many records.
SPLIT = ("--train-share", "0.5", "--validation-share", "0.1", "--test-share", "0.4")


@dataclass(frozen=True)
class Option:
    """An option of training that could make the endpoint answer otherwise than the evaluation.

    Attributes:
        columns: The columns that it needs.
        problems: The problem types that have it.
        preprocess: Arguments of preprocess.py.
        segments: Columns that are in the records of the test split without being features.
        data: The content of data.json.
        training: Arguments of train.py.
        schema: What Train adds to schema.json.
        excludes: Options that it cannot be combined with.
    """

    columns: tuple[str, ...] = ()
    problems: Collection[str] = PROBLEMS
    preprocess: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    training: tuple[str, ...] = ()
    schema: Mapping[str, Any] = field(default_factory=dict)
    excludes: tuple[str, ...] = ()


OPTIONS = {
    "numbers as categories": Option(("code",), preprocess=("--categorical-columns", "code")),
    "weights": Option(("weight",), preprocess=("--weight-column", "weight")),
    "groups": Option(
        ("shop",),
        (BINARY, MULTICLASS, REGRESSION),
        ("--split-strategy", "group", "--group-column", "shop"),
        excludes=("times",),
    ),
    "times": Option(
        ("moment",), (BINARY, MULTICLASS, REGRESSION), ("--split-strategy", "time", "--time-column", "moment")
    ),
    "segments": Option(("shop",), segments=("shop",)),
    "class weights": Option(problems=(BINARY, MULTICLASS), training=("--class_weight", "balanced")),
    "currencies": Option(("spend",), data={"columns": {"spend": {"type": "currency"}}}),
    "percentages with a decimal comma": Option(
        ("discount",), data={"columns": {"discount": {"type": "percent", "decimal": ","}}}
    ),
    "separators of thousands": Option(("visits",), data={"columns": {"visits": {"type": "number"}}}),
    "booleans in words": Option(("member",), data={"columns": {"member": {"type": "boolean"}}}),
    "normalized categories": Option(("plan",), data={"columns": {"plan": {"normalize": True}}}),
    "numbers that are categories by type": Option(("code",), data={"columns": {"code": {"type": "category"}}}),
    "further missing values": Option(("rating", "mood"), data={"missing_values": ["unknown", "?"]}),
    "poisson": Option(problems=(REGRESSION,), training=("--objective", "poisson")),
    "gamma": Option(problems=(REGRESSION,), training=("--objective", "gamma")),
    "tweedie": Option(problems=(REGRESSION,), training=("--objective", "tweedie", "--tweedie_variance_power", "1.3")),
    "quantile": Option(problems=(REGRESSION,), training=("--objective", "quantile", "--alpha", "0.8")),
    "huber": Option(problems=(REGRESSION,), training=("--objective", "huber")),
    "l1": Option(problems=(REGRESSION,), training=("--objective", "l1")),
    "square roots": Option(problems=(REGRESSION,), training=("--reg_sqrt", "true")),
    "one class against all others": Option(problems=(MULTICLASS,), training=("--objective", "multiclassova")),
    "a positive weight": Option(problems=(BINARY,), training=("--scale_pos_weight", "3"), excludes=("class weights",)),
    "dart": Option(training=("--boosting", "dart", "--early_stopping_rounds", "0"), excludes=("goss",)),
    "goss": Option(training=("--data_sample_strategy", "goss")),
    "monotone constraints": Option(training=("--monotone_constraints", '{"size": 1}'), excludes=("l1", "quantile")),
    "zero as missing": Option(training=("--zero_as_missing", "true")),
    "a sigmoid calibration": Option(
        problems=(BINARY,), schema={"calibration": {"method": "sigmoid", "slope": 1.7, "intercept": -0.3}}
    ),
    "an isotonic calibration": Option(
        problems=(BINARY,),
        schema={"calibration": {"method": "isotonic", "x": [0.1, 0.4, 0.41, 0.8], "y": [0.02, 0.3, 0.6, 0.9]}},
        excludes=("a sigmoid calibration",),
    ),
    "a decision threshold": Option(problems=(BINARY,), schema={"decision_threshold": 0.3141}),
}


def names_for(problem: str) -> list[str]:
    return [name for name, option in OPTIONS.items() if problem in option.problems]


def compatible(names: Sequence[str]) -> bool:
    """Return whether options can be combined."""
    parameters = [argument for name in names for argument in OPTIONS[name].training if argument.startswith("--")]
    columns = [column for name in names for column in OPTIONS[name].columns]
    is_excluded = any(other in OPTIONS[name].excludes for name in names for other in names)
    return len({*parameters}) == len(parameters) and len({*columns}) == len(columns) and not is_excluded


@dataclass(frozen=True)
class Case:
    """A problem type with some options."""

    problem: str
    names: tuple[str, ...]

    @property
    def options(self) -> list[Option]:
        return [OPTIONS[name] for name in self.names]

    @property
    def columns(self) -> list[str]:
        """The columns of the table."""
        own = [name for option in self.options for name in option.columns]
        return list(dict.fromkeys([*COMMON, *own, *(["query"] if self.problem == RANKING else [])]))

    @property
    def schema(self) -> dict[str, Any]:
        return {name: value for option in self.options for name, value in option.schema.items()}

    def preprocess_arguments(self, folder: Path) -> list[str]:
        """Return the arguments of preprocess.py; data.json is written into the folder."""
        ranking = ("--split-strategy", "group", "--group-column", "query") if self.problem == RANKING else ()
        data: dict[str, Any] = {}
        for option in self.options:
            for name, value in option.data.items():
                data[name] = data[name] | value if isinstance(value, dict) and name in data else value
        (folder / "data.json").write_text(json.dumps(data), encoding="utf-8")
        given = [argument for option in self.options for argument in option.preprocess]
        segments = ["row", *(name for option in self.options for name in option.segments)]
        return [
            *("--problem-type", self.problem, "--target-column", "target", *SPLIT, *ranking, *given),
            *("--drop-columns", *segments, "--segment-columns", *segments),
            *("--data-settings", str(folder / "data.json"), "--seed", "7"),
        ]

    def training_arguments(self) -> list[str]:
        given = [argument for option in self.options for argument in option.training]
        return ["--num_boost_round", "12", "--min_data_in_leaf", "5", *given]

    def csv(self) -> str:
        columns = {name: values for name, values in table(self.problem).items() if name in self.columns}
        file = io.StringIO()
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(columns)
        lines.writerows(zip(*columns.values(), strict=True))
        return file.getvalue()


def table(problem: str) -> dict[str, list[Any]]:
    """Make a table whose target depends on all columns."""
    generator = np.random.default_rng(3)

    def choose(*values: Any) -> list[Any]:
        return [values[place] for place in generator.integers(0, len(values), ROWS)]

    def gaps(values: Sequence[Any], *gap: Any, share: float = 0.1) -> list[Any]:
        missing = generator.random(ROWS) < share
        return [
            gap[place % len(gap)] if is_missing else value
            for place, (value, is_missing) in enumerate(zip(values, missing, strict=True))
        ]

    size = generator.normal(size=ROWS)
    count = generator.poisson(20, ROWS)
    colour = choose("pale", "deep", "rosé, dry", 'the "red"', "Deep", " deep ", "3.0", "true")
    active = choose("true", "False", "TRUE")
    code = generator.integers(1, 40, ROWS)
    shop = choose(*(f"shop {number}" for number in range(60)))
    signal = size + (count - 20) / 8 + np.array([value.strip() == "deep" for value in colour]) + (code % 3)
    signal = signal + generator.normal(size=ROWS) / 2
    target: Any = {
        BINARY: np.where(signal > np.median(signal), "yes", "no"),
        MULTICLASS: np.array(["low", "middle", "high"])[np.digitize(signal, np.quantile(signal, [0.3, 0.7]))],
        REGRESSION: np.exp(signal / 2) * 100,
        RANKING: np.digitize(signal, np.quantile(signal, [0.5, 0.8])),
    }[problem]
    return {
        "row": list(range(ROWS)),
        "size": gaps(size.tolist(), "", share=0.05),
        "count": gaps(count.tolist(), "", "NA", "null"),
        "colour": gaps(colour, "", "n/a"),
        "active": gaps(active, ""),
        "code": gaps(code.tolist(), ""),
        "shop": shop,
        "spend": gaps([f"${value:,.2f}" for value in np.exp(generator.normal(size=ROWS) + 7)], "", "(12.50)", "-3 EUR"),
        "discount": gaps([f"{value:.1f} %".replace(".", ",") for value in generator.random(ROWS) * 40], "", "7"),
        "visits": gaps([f"{value:,}" for value in generator.integers(0, 5000, ROWS)], "NA", "1'200", "12 000"),
        "member": gaps(choose("Yes", "no", "Y", "N", "ja"), "", " 1 "),
        "plan": gaps(
            choose("Gold", "gold ", "GOLD", "Silver  Plus", "silver plus", "\uff47\uff4f\uff4c\uff44"), "", "n/a"
        ),
        "rating": gaps(generator.integers(1, 6, ROWS).tolist(), "unknown", "?", ""),
        "mood": gaps(choose("good", "bad", "so-so"), " unknown ", "?", "N/A"),
        "query": np.sort(generator.integers(0, 90, ROWS)).tolist(),
        "weight": np.round(generator.random(ROWS) + 0.5, 3).tolist(),
        "moment": [
            f"2026-01-{day:02}T{hour:02}:30:00"
            for day, hour in zip(generator.integers(1, 29, ROWS), generator.integers(0, 24, ROWS), strict=True)
        ],
        "target": target.tolist(),
    }
