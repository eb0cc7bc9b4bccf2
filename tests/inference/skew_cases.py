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
PROBLEMS = (BINARY, MULTICLASS, REGRESSION, RANKING)
ROWS = 700
# Columns that are in every table; the others are in those of the options that name them.
COMMON = ("row", "size", "count", "colour", "active", "target")
# The test split has to be large enough for the paths that handle many records.
SPLIT = ("--train-share", "0.5", "--validation-share", "0.1", "--test-share", "0.4")


FEATURES = """
import pandas as pd

def add_features(rows: pd.DataFrame) -> pd.DataFrame:
    rows["size_per_visit"] = rows["size"] / (1 + rows["visit_count"])
    rows["district"] = rows["area"].str[:1]
    return rows.drop(columns=["area"])
"""


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
        features: The content of features.py.
        excludes: Options that it cannot be combined with.
    """

    columns: tuple[str, ...] = ()
    problems: Collection[str] = PROBLEMS
    preprocess: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    training: tuple[str, ...] = ()
    features: str = ""
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
    "a sigmoid calibration": Option(problems=(BINARY,), training=("--calibration", "sigmoid")),
    "an isotonic calibration": Option(problems=(BINARY,), training=("--calibration", "isotonic")),
    "the threshold of the best F1": Option(problems=(BINARY,), training=("--decision_threshold", "best-f1")),
    "a threshold by costs": Option(
        problems=(BINARY,),
        training=("--decision_threshold", '{"false_positive_cost": 1, "false_negative_cost": 20}'),
    ),
    "dates": Option(
        ("signup",),
        data={"datetime_columns": {"signup": {"parts": ["year", "weekday", "days_since_epoch"], "cyclic": ["hour"]}}},
    ),
    "frequencies": Option(("zip",), data={"encodings": {"zip": "frequency"}}),
    "target means": Option(("zip",), problems=(BINARY, MULTICLASS, REGRESSION), data={"encodings": {"zip": "target"}}),
    "lags": Option(
        ("moment", "store"),
        (BINARY, MULTICLASS, REGRESSION),
        ("--split-strategy", "time", "--time-column", "moment"),
        data={"lags": {"key": ["store"], "time": "moment", "columns": ["count"], "steps": [1, 2]}},
        excludes=("groups",),
    ),
    "features.py": Option(("visit_count", "area"), features=FEATURES),
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
    def features(self) -> str:
        """The content of features.py; empty without one."""
        return "".join(option.features for option in self.options)

    def preprocess_arguments(self, folder: Path) -> list[str]:
        """Return the arguments of preprocess.py; data.json is written into the folder."""
        ranking = ("--split-strategy", "group", "--group-column", "query") if self.problem == RANKING else ()
        data: dict[str, Any] = {}
        for option in self.options:
            for name, value in option.data.items():
                data[name] = data[name] | value if isinstance(value, dict) and name in data else value
        (folder / "data.json").write_text(json.dumps(data), encoding="utf-8")
        features = ["--features", str(folder / "features.py")] if self.features else []
        if features:
            (folder / "features.py").write_text(self.features, encoding="utf-8")
        given = [argument for option in self.options for argument in option.preprocess]
        segments = ["row", *(name for option in self.options for name in option.segments)]
        return [
            *("--problem-type", self.problem, "--target-column", "target", *SPLIT, *ranking, *given),
            *("--drop-columns", *segments, "--segment-columns", *segments),
            *features,
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
        "signup": gaps(
            [f"{2020 + day % 5}-{1 + day % 12:02}-{1 + day % 28:02}T{day % 24:02}:15:00" for day in range(ROWS)],
            "",
            "2024-02-29",
            "2023-05-01T12:00:00+02:00",
        ),
        "zip": gaps([str(number) for number in generator.integers(1000, 1080, ROWS)], "", " 1010 ", "x-1"),
        "store": choose("north", "south", "east"),
        "visit_count": gaps(generator.integers(0, 30, ROWS).tolist(), ""),
        "area": gaps(choose("A1", "A2", "B1", " B2", "C9"), "", "NA"),
        "query": np.sort(generator.integers(0, 90, ROWS)).tolist(),
        "weight": np.round(generator.random(ROWS) + 0.5, 3).tolist(),
        "moment": [
            f"2026-01-{1 + hour // 24:02}T{hour % 24:02}:30:00" for hour in generator.permutation(ROWS).tolist()
        ],
        "target": target.tolist(),
    }


def covering_cases() -> list[Case]:
    """Return few cases in which every option appears: each has as many as can be combined."""
    left, cases = list(OPTIONS), []
    while left:
        problem = next(iter(OPTIONS[left[0]].problems))
        names: list[str] = []
        for name in left:
            if problem in OPTIONS[name].problems and compatible([*names, name]):
                names.append(name)
        cases.append(Case(problem, tuple(names)))
        left = [name for name in left if name not in names]
    return cases
