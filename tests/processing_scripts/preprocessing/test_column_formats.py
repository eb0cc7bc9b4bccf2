"""Columns as people write them: data.columns and data.missing_values."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from features import Features, read_features
from hypothesis import given
from hypothesis import strategies as st
from preprocessing.column_formats import ColumnFormats
from preprocessing.data_settings import DataSettings

from analyzer.value_formats import ValueFormat

ROWS = 60
AMOUNTS = [1000 + 37.5 * row * (-1) ** row for row in range(ROWS)]
TARGET = ["no" if row % 3 else "yes" for row in range(ROWS)]


def csv_of(separator: str = ",", **columns: list[str]) -> str:
    columns = {**columns, "target": columns.get("target", TARGET)}
    quoted = [[f'"{value}"' if separator in value or '"' in value else value for value in c] for c in columns.values()]
    return "\n".join([separator.join(columns), *map(separator.join, zip(*quoted, strict=True))]) + "\n"


@pytest.fixture
def run(run_preprocess: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """Run preprocess.py with structured settings and further arguments."""

    def run_with(content: Any, settings: dict[str, Any], *arguments: str) -> Any:
        path = tmp_path / "settings.json"
        path.write_text(json.dumps(settings), encoding="utf-8")
        return run_preprocess(content, "--data-settings", str(path), *arguments)

    return run_with


def training_data(data: Any) -> list[dict[str, Any]]:
    assert data.error is None, data.error
    return [row for split in ("train", "validation", "test") for row in data.rows(split)]


def test_amounts_give_what_plain_numbers_give(run: Callable[..., Any]) -> None:
    dollars = run(csv_of(spend=[f"${value:,.2f}" for value in AMOUNTS]), {"columns": {"spend": {"type": "currency"}}})
    plain = run(csv_of(spend=[f"{value}" for value in AMOUNTS]), {})
    assert training_data(dollars) == training_data(plain)
    assert dollars.rows("baseline") == plain.rows("baseline")
    assert dollars.schema["features"] == [{"name": "spend", "type": "number", "format": "currency"}]
    assert plain.schema["features"] == [{"name": "spend", "type": "number"}]


def european(value: float) -> str:
    return f"{value:,.2f} €".translate(str.maketrans(",.", ".,"))


@pytest.mark.parametrize(
    ("settings", "arguments"),
    [
        ({"type": "currency"}, ("--csv-decimal", ",")),
        ({"type": "currency", "decimal": ","}, ()),
    ],
    ids=["of the file", "of the column"],
)
def test_amounts_may_have_decimal_commas(
    run: Callable[..., Any], settings: dict[str, Any], arguments: tuple[str, ...]
) -> None:
    content = csv_of(";", spend=[*map(european, AMOUNTS[:-1]), "1.234"])
    data = run(content, {"columns": {"spend": settings}}, "--csv-separator", ";", *arguments)
    plain = run(csv_of(spend=[*map(str, AMOUNTS[:-1]), "1234"]), {})
    assert training_data(data) == training_data(plain)
    assert data.schema["features"] == [{"name": "spend", "type": "number", "format": "currency", "decimal": ","}]


@pytest.mark.parametrize("decimal", [".", ","])
def test_numbers_of_json_and_parquet_are_plain_numbers(run: Callable[..., Any], decimal: str) -> None:
    values = [1.234, "1.234,00" if decimal == "," else "1,234.00", 12, *AMOUNTS[3:]]
    lines = [json.dumps({"spend": value, "target": label}) for value, label in zip(values, TARGET, strict=True)]
    settings = {"columns": {"spend": {"type": "number", "decimal": decimal}}}
    plain = training_data(run(csv_of(spend=["1.234", "1234", "12", *map(str, AMOUNTS[3:])]), {}))
    assert training_data(run({"data.jsonl": "\n".join(lines)}, settings)) == plain
    parquet = io.BytesIO()
    pq.write_table(pa.table({"spend": [1.234, 1234, 12, *AMOUNTS[3:]], "target": TARGET}), parquet)
    assert training_data(run({"data.parquet": parquet.getvalue()}, settings)) == plain


def test_missing_texts_leave_a_column_numeric(run: Callable[..., Any]) -> None:
    values = ["unknown" if row % 20 == 5 else " ? " if row % 20 == 7 else str(row % 13) for row in range(ROWS)]
    empty = ["" if not value.isdigit() else value for value in values]
    settings = {"missing_values": ["unknown", "?"], "columns": {"age": {"type": "number"}}}
    data, plain = run(csv_of(age=values), settings), run(csv_of(age=empty), {})
    assert training_data(data) == training_data(plain)
    assert data.schema["missing_values"] == ["?", "unknown"]
    lines = [
        json.dumps({"age": int(value) if value.isdigit() else value, "target": label})
        for value, label in zip(values, TARGET, strict=True)
    ]
    assert training_data(run("\n".join(lines), {"missing_values": ["unknown", "?"]})) == training_data(plain)


def test_booleans_in_words_are_two_categories(run: Callable[..., Any]) -> None:
    words = ["yes", "No", "Y", "nein", "1", "FALSE"]
    data = run(csv_of(active=[words[row % 6] for row in range(ROWS)]), {"columns": {"active": {"type": "boolean"}}})
    feature = {"name": "active", "type": "category", "format": "boolean", "categories": ["false", "true"]}
    assert data.schema["features"] == [feature]
    assert {row["active"] for row in data.rows("baseline")} == {"true", "false"}


def test_a_normalized_category_is_one_in_all_spellings(run: Callable[..., Any]) -> None:
    plans = ["Gold ", "gold", "GOLD", "Very  good"]
    data = run(csv_of(plan=[plans[row % 4] for row in range(ROWS)]), {"columns": {"plan": {"normalize": True}}})
    feature = {"name": "plan", "type": "category", "normalize": True, "categories": ["gold", "very good"]}
    assert data.schema["features"] == [feature]
    assert {row["plan"] for row in data.rows("baseline")} == {"gold", "very good"}


def test_targets_have_formats_too(run: Callable[..., Any]) -> None:
    labels = ["Yes" if row % 3 else "n" for row in range(ROWS)]
    columns = {"size": [str(row % 7) for row in range(ROWS)], "target": labels}
    data = run(csv_of(**columns), {"columns": {"target": {"type": "boolean"}}}, "--positive-class", "true")
    assert (data.error, data.schema["classes"]) == (None, ["false", "true"])
    columns["target"] = [f"${value:,.2f}" for value in AMOUNTS]
    settings = {"columns": {"target": {"type": "currency"}}}
    prices = run(csv_of(**columns), settings, "--problem-type", "Regression")
    assert sorted(float(row["target"]) for row in training_data(prices)) == sorted(AMOUNTS)


def test_requests_with_the_original_values_are_encoded_as_training_data_is(run: Callable[..., Any]) -> None:
    rows = [
        {
            "spend": f"${value:,.2f}" if row % 9 else "unknown",
            "cost": european(value),
            "share": f"{row % 40} %",
            "active": ["yes", "No", "Y", "nein"][row % 4],
            "plan": ["Gold ", "gold", "very  good", "Very good"][row % 4],
        }
        for row, value in enumerate(AMOUNTS)
    ]
    settings = {
        "columns": {
            "spend": {"type": "currency"},
            "cost": {"type": "currency", "decimal": ","},
            "share": {"type": "percent"},
            "active": {"type": "boolean"},
            "plan": {"normalize": True},
        },
        "missing_values": ["unknown"],
    }
    data = run(csv_of(**{name: [row[name] for row in rows] for name in rows[0]}), settings)
    features = Features(read_features(data.schema))
    requests = [[-math.inf if math.isnan(value) else value for value in features.encode(row, 1)] for row in rows]
    trained = [[float(row[name] or -math.inf) for name in features.names] for row in training_data(data)]
    assert sorted(requests) == sorted(trained)


MISREAD = [
    (
        {"spend": {"type": "currency"}},
        ["$5", "$6", "much", "more"],
        "column 'spend' has 30 values in another format than currency (which is an amount such as $1,234.50), for "
        "example 'much' in row 3 of data.csv; correct them, or add them to data.missing_values if they stand for "
        "missing values",
    ),
    (
        {"spend": {"type": "percent"}},
        ["12 %", "12,5 %"],
        "for example '12,5 %' in row 2 of data.csv; if it has a decimal comma, set data.columns: {spend: {type: "
        "percent, decimal: \",\"}}, or data.csv.decimal to ',' if the numbers of all columns have",
    ),
    ({"spend": {"type": "boolean"}}, ["yes", "no", "maybe"], "for example 'maybe' in row 3 of data.csv; correct them"),
]


@pytest.mark.parametrize(("columns", "values", "message"), MISREAD)
def test_a_value_in_another_format_is_an_error_that_names_it(
    run: Callable[..., Any], columns: dict[str, Any], values: list[str], message: str
) -> None:
    data = run(csv_of(spend=[values[row % len(values)] for row in range(ROWS)]), {"columns": columns})
    assert message in data.error
    assert data.check("input")["status"] == "failed"


def test_a_setting_names_a_column_of_the_data(run: Callable[..., Any]) -> None:
    error = run(csv_of(spend=["1"] * ROWS), {"columns": {"spent": {"type": "currency"}}}).error
    assert error == "column 'spent' is not in data.csv (columns: spend, target); set columns"


def few(value: str, otherwise: Callable[[int], str]) -> list[str]:
    return [value if row % 20 == 5 else otherwise(row) for row in range(ROWS)]


ADVICE = [
    ("numbers_as_text", few("unknown", str), "set data.missing_values: [unknown] if they stand for missing values"),
    (
        "numbers_as_text",
        few("none ", lambda row: f"${row + 1},000.50"),
        "set data.columns: {x: {type: currency}} and data.missing_values: [none] to make it numeric",
    ),
    ("numbers_as_text", few("12 kg", str), "leave these values empty, to make it numeric"),
    ("numbers_as_text", few("12 %", lambda row: f"{row} %"), "set data.columns: {x: {type: percent}}"),
    (
        "numbers_as_text",
        few("1.234,50 €", lambda row: f"{row},50 €"),
        'set data.columns: {x: {type: currency, decimal: ","}}',
    ),
    (
        "category_spellings",
        few("yes", lambda row: ["Y", "no"][row % 2]),
        "has booleans in 3 spellings, such as 'Y' and 'yes', which are different categories; "
        "set data.columns: {x: {type: boolean}}",
    ),
    (
        "category_spellings",
        few("Gold", lambda row: ["gold", "blue"][row % 2]),
        "such as 'Gold' and 'gold'; set data.columns: {x: {normalize: true}}",
    ),
]


@pytest.mark.parametrize(("check", "values", "advice"), ADVICE, ids=[advice for _, _, advice in ADVICE])
def test_the_advice_has_the_setting_to_paste(
    run: Callable[..., Any], check: str, values: list[str], advice: str
) -> None:
    data = run(csv_of(x=values), {})
    assert data.error is None
    assert advice in data.check(check)["message"]
    assert not data.check("id_like")["columns"]


def test_an_error_of_a_target_has_the_setting_to_paste(run: Callable[..., Any]) -> None:
    content = csv_of(size=[str(row % 7) for row in range(ROWS)], target=[f"${value:,.2f}" for value in AMOUNTS])
    assert (
        "; set data.columns: {target: {type: currency}}, or" in run(content, {}, "--problem-type", "Regression").error
    )


def test_no_advice_is_given_on_what_the_settings_say(run: Callable[..., Any]) -> None:
    plans = ["Gold" if row % 2 else "gold" for row in range(ROWS)]
    data = run(csv_of(x=plans), {"columns": {"x": {"normalize": True}}})
    assert data.check("category_spellings")["status"] == "passed"


texts = st.sampled_from(["$1,234.50", "(3)", "1 234", "NA", "unknown", "", "12", "x", "1e3", " -5 "])


@given(st.lists(texts, min_size=1, max_size=8))
def test_preprocess_reads_a_number_as_the_endpoint_does(column: list[str]) -> None:
    settings = DataSettings(columns={"x": {"type": "currency"}}, missing_values=["unknown"])
    value_format = ValueFormat("currency", missing_texts=frozenset(["unknown"]))
    converted, misread = ColumnFormats.from_settings(settings, ".").convert(pa.table({"x": pa.array(column)}))
    assert converted["x"].to_pylist() == [None if text == "x" else value_format.number(text) for text in column]
    found = misread.get("x")
    assert (found and (found.count, found.row)) == ((column.count("x"), column.index("x")) if "x" in column else None)
