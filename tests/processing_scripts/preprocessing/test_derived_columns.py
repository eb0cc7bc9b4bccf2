"""Columns that are derived from dates and texts: what the model gets of them, and what schema.json says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from preprocessing.encodings import SMOOTHING

from tests.container_scripts import Preprocessed

Run = Callable[..., Preprocessed]


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., list[str]]:
    """Write a data.json, and return the arguments that name it."""

    def write(**content: Any) -> list[str]:
        path = tmp_path / "data.json"
        path.write_text(json.dumps(content))
        return ["--data-settings", str(path)]

    return write


def orders(rows: int = 400) -> str:
    """Make orders of 40 shops, of which those with an even number are usually good."""
    generator = np.random.default_rng(1)
    lines = ["at,shop,spend,target"]
    for row in range(rows):
        shop = int(generator.integers(40))
        good = int(generator.random() < (0.8 if shop % 2 == 0 else 0.2))
        at = f"2024-{row % 12 + 1:02}-{row % 28 + 1:02}T{row % 24:02}:30:00Z"
        lines.append(f"{at},{shop:03},{generator.normal():.3f},{good}")
    return "\n".join(lines) + "\n"


def parts(**given: list[str]) -> dict[str, Any]:
    return {"parts": [], "cyclic": []} | given


def test_a_date_becomes_its_parts_and_stays_a_date_for_clients(run_preprocess: Run, settings: Any) -> None:
    wanted = parts(parts=["month", "hour"], cyclic=["hour"])
    data = run_preprocess(orders(), *settings(datetime_columns={"at": wanted}))
    assert data.error is None
    assert [(feature["name"], feature["type"]) for feature in data.schema["features"]] == [
        ("at", "datetime"),
        ("shop", "number"),
        ("spend", "number"),
    ]
    assert [(column["name"], column["source"], column.get("part")) for column in data.schema["columns"]] == [
        ("at_month", "at", "month"),
        ("at_hour", "at", "hour"),
        ("at_hour_sin", "at", "hour_sin"),
        ("at_hour_cos", "at", "hour_cos"),
        ("shop", "shop", None),
        ("spend", "spend", None),
    ]
    row = data.rows("train")[0]
    assert list(row) == ["target", *(column["name"] for column in data.schema["columns"])]
    assert float(row["at_hour_sin"]) == pytest.approx(np.sin(2 * np.pi * float(row["at_hour"]) / 24))
    assert data.rows("baseline")[0]["at"].startswith("2024-")
    assert data.check("dates")["status"] == data.check("id_like")["status"] == "passed"


def test_a_value_that_is_not_a_date_is_named_with_its_row(run_preprocess: Run, settings: Any) -> None:
    text = orders().replace("2024-03-03T02", "on March 3rd", 1)
    data = run_preprocess(text, *settings(datetime_columns={"at": parts(parts=["month"])}))
    message = (
        "column 'at' is in datetime_columns, but 1 of 400 values is neither ISO 8601, a date such as 29.02.2024 nor"
    )
    assert message in (data.error or "")
    assert 'rows["at"] = pd.to_datetime(rows["at"], format="%m/%d/%Y")' in (data.error or "")
    assert "'on March 3rd:30:00Z' in row 3 of data.csv" in (data.error or "")


def day_first(text: str) -> str:
    return re.sub(r"2024-(\d\d)-(\d\d)T(\d\d:\d\d:\d\d)Z", r"\2.\1.2024 \3", text)


def test_a_date_with_points_has_the_parts_of_that_date(run_preprocess: Run, settings: Any) -> None:
    names = ("at_month", "at_day", "at_hour")

    def encoded(text: str) -> list[tuple[str, ...]]:
        data = run_preprocess(text, *settings(datetime_columns={"at": parts(parts=["month", "day", "hour"])}))
        assert data.error is None
        rows = (row for split in ("train", "validation", "test") for row in data.rows(split))
        return sorted(tuple(row[name] for name in names) for row in rows)

    assert encoded(day_first(orders())) == encoded(orders())


def test_a_date_with_points_orders_a_split_by_time(run_preprocess: Run) -> None:
    def newest(text: str) -> list[list[str]]:
        data = run_preprocess(text, "--split-strategy", "time", "--time-column", "at")
        assert data.error is None
        return sorted([*row.values()] for row in data.rows("test"))

    assert newest(re.sub(r"(?m)^0", "", day_first(orders()))) == newest(orders())


@pytest.mark.parametrize("written", [str, day_first])
def test_dates_without_the_setting_get_it_to_paste(run_preprocess: Run, written: Callable[[str], str]) -> None:
    (message,) = run_preprocess(written(orders())).check("dates")["messages"]
    assert "set datetime_columns: [at] in the section data" in message


@pytest.mark.parametrize("setting", ["datetime_columns", "encodings"])
def test_a_column_that_does_not_exist_is_named(run_preprocess: Run, settings: Any, setting: str) -> None:
    content = {"gone": parts(parts=["day"]) if setting == "datetime_columns" else "target"}
    assert f"column 'gone' is not in data.csv (columns: at, shop, spend, target); set {setting}" in (
        run_preprocess(orders(), *settings(**{setting: content})).error or ""
    )


def test_a_derived_column_needs_a_name_of_its_own(run_preprocess: Run, settings: Any) -> None:
    text = orders().replace("spend", "at_hour")
    data = run_preprocess(text, *settings(datetime_columns={"at": parts(parts=["hour"])}))
    assert "the model would have several columns named 'at_hour'" in (data.error or "")


def test_a_frequency_is_the_share_of_the_training_rows(run_preprocess: Run, settings: Any) -> None:
    data = run_preprocess(orders(), *settings(encodings={"shop": "frequency"}))
    (shop,) = [column for column in data.schema["columns"] if column["name"] == "shop"]
    assert data.schema["features"][1] == {"name": "shop", "type": "text"}
    baseline = [row["shop"] for row in data.rows("baseline")]
    assert shop["values"] == {text: baseline.count(text) / len(baseline) for text in sorted(set(baseline))}
    assert [float(row["shop"]) for row in data.rows("train")] == [shop["values"][text] for text in baseline]
    assert shop["default"] == 0


def test_a_target_encoding_is_the_smoothed_mean_of_the_training_rows(run_preprocess: Run, settings: Any) -> None:
    data = run_preprocess(orders(), *settings(encodings={"shop": "target"}))
    (shop,) = [column for column in data.schema["columns"] if column["name"] == "shop"]
    target = [float(row["target"]) for row in data.rows("train")]
    rows: dict[str, list[float]] = {}
    for row, value in zip(data.rows("baseline"), target, strict=True):
        rows.setdefault(row["shop"], []).append(value)
    mean = np.mean(target)
    expected = {text: (sum(v) + SMOOTHING * mean) / (len(v) + SMOOTHING) for text, v in rows.items()}
    assert shop["values"] == pytest.approx(expected, abs=1e-15)
    assert shop["default"] == pytest.approx(mean, abs=1e-15)


@pytest.mark.parametrize("problem_type", ["BinaryClassification", "Regression"])
def test_a_training_row_does_not_see_its_own_target(run_preprocess: Run, settings: Any, problem_type: str) -> None:
    """With a category of its own in every row, the encoding of a training row must not tell its target."""
    rows = [f"id{row},{row % 7},{row % 2}" for row in range(600)]
    data = run_preprocess(
        "\n".join(["key,x,target", *rows]) + "\n",
        *settings(encodings={"key": "target"}),
        "--problem-type",
        problem_type,
    )
    train = pq.read_table(data.output / "train" / "train.parquet")
    assert abs(np.corrcoef(train["key"].to_numpy(), train["target"].to_numpy())[0, 1]) < 0.2
    (column, _) = data.schema["columns"]
    values = np.array([*column["values"].values()])
    assert len({*values.round(9)}) == 2


def test_copies_of_a_row_are_in_one_fold(run_preprocess: Run, settings: Any) -> None:
    rows = [f"id{row // 2},{row // 2 % 7},{row // 2 % 2}" for row in range(600)]
    data = run_preprocess("\n".join(["key,x,target", *rows]) + "\n", *settings(encodings={"key": "target"}))
    train = pq.read_table(data.output / "train" / "train.parquet")
    assert abs(np.corrcoef(train["key"].to_numpy(), train["target"].to_numpy())[0, 1]) < 0.2


def test_several_classes_get_a_column_each(run_preprocess: Run, settings: Any) -> None:
    text = "\n".join(["shop,x,target", *(f"s{row % 11},{row},{'abc'[row % 3]}" for row in range(600))]) + "\n"
    data = run_preprocess(text, *settings(encodings={"shop": "target"}), "--problem-type", "MulticlassClassification")
    columns = data.schema["columns"]
    assert [column["name"] for column in columns] == ["shop_a", "shop_b", "shop_c", "x"]
    sums = [sum(column["values"][f"s{shop}"] for column in columns[:3]) for shop in range(11)]
    assert sums == pytest.approx([1] * 11)


def test_neither_the_order_of_rows_nor_the_files_change_the_encodings(run_preprocess: Run, settings: Any) -> None:
    header, *lines = orders().splitlines()
    numbered = [line.rsplit(",", 1)[0] + f",{row / 7}" for row, line in enumerate(lines)]
    files = {
        f"{name}.csv": "\n".join([header, *part]) + "\n"
        for name, part in (("a", numbered[250:]), ("b", numbered[:250]))
    }
    options = [*settings(encodings={"shop": "target"}), "--problem-type", "Regression"]
    whole = run_preprocess("\n".join([header, *numbered]) + "\n", *options)
    divided = run_preprocess(files, *options)
    assert whole.schema == divided.schema
    assert whole.rows("train") == divided.rows("train")


def test_many_categories_get_the_setting_to_paste(run_preprocess: Run) -> None:
    text = "\n".join(["town,x,target", *(f"t{row % 300},{row},{row % 2}" for row in range(1200))]) + "\n"
    (message,) = run_preprocess(text).check("many_categories")["messages"]
    assert message.startswith("column 'town' has 300 categories")
    assert "encodings: {town: target}" in message
