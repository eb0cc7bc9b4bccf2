"""`pipelines init`: a settings file for a table, each guess with its reason."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from examples import EXAMPLES
from pipelines.__main__ import app
from pipelines.data_check.validation import validated
from pipelines.new_project.guesses import Guesses, guess
from pipelines.new_project.sample import read_sample
from pipelines.new_project.settings_text import project_name, settings_text
from project.errors import UserError
from project.settings import load_settings

ROWS = 400


def guesses_for(folder: Path, target: str | None = None, **columns: list[object]) -> Guesses:
    path = folder / "table.csv"
    pd.DataFrame({**columns, "target": [row % 2 for row in range(ROWS)]}).to_csv(path, index=False)
    return guess(read_sample(path), target)


# german-credit drops columns that would be features elsewhere
@pytest.mark.parametrize("name", sorted(set(EXAMPLES) - {"taxi", "german-credit"}))
def test_an_example_gets_its_own_target_and_problem_type(name: str) -> None:
    folder = Path("examples", name)
    settings = yaml.safe_load((folder / "settings.yaml").read_text(encoding="utf-8"))
    guesses = guess(read_sample(folder / "data.csv"))
    assert guesses.target == settings["data"]["target_column"]
    assert guesses.problem_type == settings["problem_type"]
    assert guesses.data.get("drop_columns", []) == settings["data"].get("drop_columns", [])


@pytest.mark.parametrize(
    ("values", "key", "expected"),
    [
        (lambda row: f"${row + 1:,}.50", "columns", {"x": {"type": "currency"}}),
        (lambda row: f"({row + 1} kr)", "columns", {"x": {"type": "currency"}}),
        (lambda row: f"{row % 90} %", "columns", {"x": {"type": "percent"}}),
        (lambda row: f"{1000 + row * 17:,}", "columns", {"x": {"type": "number"}}),
        (lambda row: ("Yes", "no", "YES")[row % 3], "columns", {"x": {"type": "boolean"}}),
        (lambda row: ("Gold", "gold ", "silver")[row % 3], "columns", {"x": {"normalize": True}}),
        (lambda row: "unknown" if row % 9 == 0 else row % 50, "missing_values", ["unknown"]),
        (lambda row: f"2024-01-{row % 28 + 1:02}", "datetime_columns", ["x"]),
        (lambda row: f"2024-01-{row % 28 + 1:02}T10:00:00Z", "datetime_columns", ["x"]),
        (lambda row: f"{row % 28 + 1}.12.2021", "datetime_columns", ["x"]),
        (lambda row: f"{row % 28 + 1:02}.01.2021 08:30", "datetime_columns", ["x"]),
        (lambda row: f"12/{row % 28 + 1}/2021", "drop_columns", ["x"]),
        (lambda row: f"{row % 28 + 1}.12.21", "drop_columns", ["x"]),
        (lambda row: f"text {row}", "drop_columns", ["x"]),
        (lambda row: f"{row % 50 * 397:05}", "categorical_columns", ["x"]),
        (lambda row: f"{row * 193 % 77777:05}", "drop_columns", ["x"]),
        (lambda row: "always", "drop_columns", ["x"]),
        (lambda row: None if row else 1, "drop_columns", ["x"]),
    ],
)
def test_a_column_gets_the_setting_that_its_values_need(tmp_path: Path, values, key: str, expected: object) -> None:
    guesses = guesses_for(tmp_path, x=[values(row) for row in range(ROWS)])
    assert guesses.data == {key: expected}
    name = "unknown" if key == "missing_values" else "x"
    assert guesses.reasons[key, name], "a guess has a reason"


@pytest.mark.parametrize(
    "values",
    [
        lambda row: row % 7,
        lambda row: row / 3,
        lambda row: ("a", "b", "c")[row % 3],
        lambda row: ("yes", "no")[row % 2],
    ],
)
def test_plain_numbers_and_categories_need_no_setting(tmp_path: Path, values) -> None:
    assert guesses_for(tmp_path, x=[values(row) for row in range(ROWS)]).data == {}


@pytest.mark.parametrize("written", ["city {}", "{:05}"])
def test_many_categories_are_encoded_by_the_target(tmp_path: Path, written: str) -> None:
    random = np.random.default_rng(0)
    path = tmp_path / "table.csv"
    rows = 3000
    cities = [written.format(random.integers(400)) for _ in range(rows)]
    pd.DataFrame({"city": cities, "target": [row % 2 for row in range(rows)]}).to_csv(path, index=False)
    assert guess(read_sample(path)).data == {"encodings": {"city": "target"}}


def test_ids_are_dropped_but_numbers_that_happen_to_differ_are_not(tmp_path: Path) -> None:
    shuffled = np.random.default_rng(0).permutation(ROWS) + 1000
    guesses = guesses_for(tmp_path, customer_id=shuffled, row=[*range(ROWS)], income=[float(7 * n) for n in shuffled])
    assert guesses.data == {"drop_columns": ["customer_id", "row"]}


def test_the_rarer_of_two_unknown_classes_is_positive(tmp_path: Path) -> None:
    outcomes = ["rot" if row % 5 == 0 else "blau" for row in range(ROWS)]
    assert guesses_for(tmp_path, "x", x=outcomes).data["positive_class"] == "rot"


@pytest.mark.parametrize(
    ("values", "problem_type"),
    [
        (lambda row: row % 2, "BinaryClassification"),
        (lambda row: ("a", "b", "c")[row % 3], "MulticlassClassification"),
        (lambda row: row % 5, "MulticlassClassification"),
        (lambda row: row * 1.5, "Regression"),
        (lambda row: f"$ {row * 10:,}", "Regression"),
    ],
)
def test_the_problem_type_follows_from_the_target(tmp_path: Path, values, problem_type: str) -> None:
    assert guesses_for(tmp_path, "x", x=[values(row) for row in range(ROWS)]).problem_type == problem_type


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (lambda row: f"text {row}", "has 400 different texts in 400 rows"),
        (lambda row: 1, "has only the value"),
        (lambda row: None, "has no values"),
    ],
)
def test_a_target_that_cannot_be_predicted_is_refused(tmp_path: Path, values, message: str) -> None:
    with pytest.raises(UserError, match=message):
        guesses_for(tmp_path, "x", x=[values(row) for row in range(ROWS)])


def test_the_format_of_a_european_file_is_recognized(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    lines = ["größe;preis;target", *(f"{row},5;€ 1.{row:03},25;{row % 2}" for row in range(300))]
    path.write_text("\n".join(lines), encoding="cp1252")
    guesses = guess(read_sample(path))
    assert guesses.data["csv"] == {"encoding": "cp1252", "separator": ";", "decimal": ","}
    assert guesses.data["columns"] == {"preis": {"type": "currency"}}


def test_parquet_and_json_lines_are_read_with_their_types(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {
            "when": pd.date_range("2024-01-01", periods=ROWS, freq="h"),
            "x": [float(row % 9) for row in range(ROWS)],
            "target": [row % 2 == 0 for row in range(ROWS)],
        }
    )
    table.to_parquet(tmp_path / "table.parquet")
    table.to_json(tmp_path / "table.jsonl", orient="records", lines=True, date_format="iso")
    for name in ("table.parquet", "table.jsonl"):
        guesses = guess(read_sample(tmp_path / name))
        assert guesses.problem_type == "BinaryClassification"
        assert guesses.data == {"datetime_columns": ["when"]}


def test_the_text_is_yaml_with_every_guess_and_its_reason(tmp_path: Path) -> None:
    guesses = guesses_for(tmp_path, **{"price: net": [f"${row + 1:,}.50" for row in range(ROWS)], "id": [*range(ROWS)]})
    text = settings_text("my-model", "table.csv", guesses)
    content = yaml.safe_load(text)
    assert content["data"]["columns"] == {"price: net": {"type": "currency"}}
    assert content["data"]["drop_columns"] == ["id"]
    assert "# like '$1.50'" in text
    assert "# monitoring: {label_delay_minutes: 0} # how long labels take to arrive; 60 by default" in text
    assert "- id # every row has another value, like an ID" in text


@pytest.mark.parametrize(
    ("path", "name"),
    [("customers 2024.csv", "customers-2024"), ("my-project/data.csv", "my-project"), ("_.csv", "my-model")],
)
def test_a_project_is_named_by_its_file_or_folder(path: str, name: str) -> None:
    assert project_name(Path(path)) == name


def test_an_existing_settings_file_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text("name: mine\n", encoding="utf-8")
    pd.DataFrame({"x": range(ROWS), "target": [row % 2 for row in range(ROWS)]}).to_csv(
        tmp_path / "table.csv", index=False
    )
    result = CliRunner().invoke(app, ["init", str(tmp_path / "table.csv")])
    assert result.exit_code == 2
    assert "exists; give another file with --output" in result.stderr
    assert (tmp_path / "settings.yaml").read_text(encoding="utf-8") == "name: mine\n"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.csv", None, "does not exist"),
        ("table.xlsx", "x", "not a table that can be read"),
        ("table.csv", "a,b\n", "has no rows"),
        ("table.parquet", "not parquet", "cannot be read"),
    ],
)
def test_a_file_that_is_not_a_table_is_named(tmp_path: Path, name: str, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=message):
        read_sample(tmp_path / name)


def checked(folder: Path, name: str, content: str, *options: str, encoding: str = "utf-8") -> tuple[str, dict]:
    """Return the settings that init writes for a file, and what check-data finds with them."""
    (folder / name).write_text(content, encoding=encoding)
    started = CliRunner().invoke(app, ["init", str(folder / name), *options])
    assert started.exit_code == 0, started.output
    settings = folder / "settings.yaml"
    page = str(folder / "page.html")
    found = CliRunner().invoke(app, ["check-data", "--settings", str(settings), "--output", page, "--json"])
    return settings.read_text(encoding="utf-8"), json.loads(found.stdout)


@pytest.mark.parametrize("target", ["Preis", "Klasse"])
def test_numbers_with_german_separators_are_numbers_for_check_data_too(tmp_path: Path, target: str) -> None:
    random = np.random.default_rng(0)
    lines = ["Fläche;Preis;Klasse"]
    for row in range(ROWS):
        price = f"{random.uniform(500, 90_000):,.2f}".translate(str.maketrans(",.", ".,"))
        lines.append(f"{row % 90},5;{price};{row % 2}")
    text, found = checked(tmp_path, "table.csv", "\n".join(lines), "--target", target, encoding="cp1252")
    assert yaml.safe_load(text)["data"]["columns"] == {"Preis": {"type": "number"}}
    assert found["errors"] == []
    assert found["warnings"] == []


@pytest.mark.parametrize("separator", [",", ";"])
def test_the_decimal_mark_of_a_column_is_set_where_it_is_not_that_of_the_file(tmp_path: Path, separator: str) -> None:
    mark, quote, file_mark = (",", '"', ".") if separator == "," else (".", "", ",")
    swapped = str.maketrans(",.", ".,") if mark == "," else {}
    numbers = [f"{1000 + row * 17.25:,.2f}".translate(swapped) for row in range(ROWS)]
    lines = [separator.join(("size", "width", "price", "target"))]
    for row, number in enumerate(numbers):
        others = (f"{row}{file_mark}50", f"{row % 31}{file_mark}25")
        lines.append(separator.join((*others, f"{quote}{number}{quote}", str(row % 2))))
    text, found = checked(tmp_path, "table.csv", "\n".join(lines))
    assert yaml.safe_load(text)["data"]["columns"] == {"price": {"type": "number", "decimal": mark}}
    assert found["errors"] == []


def test_whole_numbers_with_points_between_thousands_are_not_read_as_fractions(tmp_path: Path) -> None:
    prices = [f"{row * 250:,}".replace(",", ".") for row in range(ROWS)]
    lines = ["size;price;target", *(f"{row},5;{price};{row % 2}" for row, price in enumerate(prices))]
    text, found = checked(tmp_path, "table.csv", "\n".join(lines))
    assert yaml.safe_load(text)["data"]["columns"] == {"price": {"type": "number"}}
    assert found["errors"] == []


def test_a_comment_shows_a_value_as_the_file_has_it(tmp_path: Path) -> None:
    lines = ["Preis;Rabatt;target", *(f"11.{row:03},74 EUR;{row % 60},5 %;{row % 2}" for row in range(271, 671))]
    text, _ = checked(tmp_path, "table.csv", "\n".join(lines))
    assert "# like '11.271,74 EUR'" in text
    assert "# like '31,5 %'" in text


def dated(written: str) -> str:
    dates = pd.Series(pd.date_range("2021-01-01", periods=ROWS, freq="17h"))
    return "\n".join(
        ["signup,age,target", *(f"{d},{row % 60},{row % 2}" for row, d in enumerate(dates.dt.strftime(written)))]
    )


def test_dates_with_points_are_dates_for_check_data_too(tmp_path: Path) -> None:
    text, found = checked(tmp_path, "table.csv", dated("%d.%m.%Y"))
    assert yaml.safe_load(text)["data"]["datetime_columns"] == ["signup"]
    assert found["errors"] == found["warnings"] == []


@pytest.mark.parametrize("written", ["%m/%d/%Y", "%d/%m/%Y %H:%M", "%m/%d/%y %I:%M %p"])
def test_other_dates_are_left_out_with_the_line_of_features_py_that_reads_them(tmp_path: Path, written: str) -> None:
    text, _ = checked(tmp_path, "table.csv", dated(written))
    line = f'rows["signup"] = pd.to_datetime(rows["signup"], format="{written}")'
    assert f"which features.py can convert: {line}" in text
    settings = yaml.safe_load(text)
    assert settings["data"].pop("drop_columns") == ["signup"]
    # the way that the comment names leads to the parts of the dates
    settings["data"]["features"] = "features.py"
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    code = f"import pandas as pd\n\n\ndef add_features(rows):\n    {line}\n    return rows\n"
    (tmp_path / "features.py").write_text(code, encoding="utf-8")
    with validated(load_settings(tmp_path / "settings.yaml"), tmp_path / "table.csv") as validation:
        schema = json.loads((validation.output / "schema" / "schema.json").read_text(encoding="utf-8"))
    assert "signup_month" in [column["name"] for column in schema["columns"]]


def test_the_order_of_day_and_month_is_asked_for_where_no_day_says_it(tmp_path: Path) -> None:
    guesses = guesses_for(tmp_path, x=[f"{row % 12 + 1}/{row % 7 + 1}/2021" for row in range(ROWS)])
    assert '(or "%d/%m/%Y": no day is above 12)' in guesses.notes[0]


@pytest.mark.parametrize(("codes", "key"), [(99_000, "drop_columns"), (400, "encodings")])
def test_check_data_has_no_other_advice_on_codes_than_init(tmp_path: Path, codes: int, key: str) -> None:
    random = np.random.default_rng(0)
    lines = ["zip,age,target", *(f"{random.integers(codes):05},{row % 60},{row % 2}" for row in range(3000))]
    text, found = checked(tmp_path, "table.csv", "\n".join(lines))
    assert "zip" in yaml.safe_load(text)["data"][key]
    assert not [warning for warning in found["warnings"] if "consider" in warning]
