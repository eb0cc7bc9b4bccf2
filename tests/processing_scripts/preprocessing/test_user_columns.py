"""features.py in Preprocess: its input, its allowed results, and the messages of its errors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.container_scripts import Preprocessed

ROWS = [
    "a,b,when,who,target",
    *(f"{row},{row % 3},2024-01-{row % 28 + 1:02},P{row % 4},{row % 2}" for row in range(200)),
]


@pytest.fixture
def run(run_preprocess: Callable[..., Preprocessed], tmp_path: Path) -> Callable[..., Preprocessed]:
    def run(body: str, *arguments: str, rows: list[str] = ROWS) -> Preprocessed:
        path = tmp_path / "features.py"
        path.write_text(
            body if "def add_features" in body else f"def add_features(rows):\n    {body}\n    return rows\n"
        )
        return run_preprocess("\n".join(rows) + "\n", "--features", str(path), *arguments)

    return run


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "return rows.dropna().head(3)",
            "add_features in features.py got 100 rows and returns 3 rows; return a row for",
        ),
        ("return rows[::-1]", "returns another index or order of rows"),
        ("return rows['a']", "returns Series, not a pandas DataFrame; end it with `return rows`"),
        ("rows[7] = 1", "returns a column named 7; return at least one, each with a name of its own, which"),
        ("return rows[[]]", "returns no columns"),
        (
            "x = rows['target']",
            "features.py, line 2, in add_features: it reads column 'target', the target, which endpoin",
        ),
        ("x = rows.target", "it reads column 'target', the target, which endpoints do not have"),
        ("x = rows[['a', 'target']]", "it reads column 'target', the target, which endpoints do not have"),
        ("x = rows['d']", "features.py, line 2, in add_features: there is no column 'd' (columns: a, b, when, who)"),
        ("rows['z'] = [{'P1': 1}[who] for who in rows['who']]", "<listcomp>: KeyError: a dictionary has no key 'P"),
        ("open('map.json')", "No such file or directory: 'map.json'; no other file is part of the model"),
        ("1 / 0", "features.py, line 2, in add_features: ZeroDivisionError: division by zero"),
        ("rows['z'] = rows['a'] - rows['a'].mean()", "among others and 0.0 for the same row alone, as"),
        ("rows['z'] = rows['a'].shift(1)", "features.py is not row-wise: column 'z' is "),
        ("rows['z'] = [[1]] * len(rows)", "returns values of type list in column 'z'; return numbers, booleans, texts"),
        (
            "rows['z'] = rows['who'].map(lambda who: int(who[1]))",
            "(a record without any value, which an endpoint answers",
        ),
        ("rows['z'] = 1 / rows['b']", "column 'z' is infinite in 67 rows, first in row 1 of data.csv"),
        ("def add_features(rows)\n    return rows", "features.py, line 1: expected ':'"),
        ("def add_features_(rows):\n    return rows", "features.py has no function add_features(rows); define it"),
        (
            "import nowhere\ndef add_features(rows):\n    return rows",
            "features.py, line 1: ModuleNotFoundError: No module",
        ),
    ],
)
def test_a_mistake_is_told_in_words(run: Callable[..., Preprocessed], body: str, message: str) -> None:
    assert message in (run(body).error or "")


def test_a_column_with_many_categories_is_named_as_the_settings_name_it(run: Callable[..., Preprocessed]) -> None:
    rows = [*ROWS, *(f"{row},{row % 3},2024-01-01,P0,{row % 2}" for row in range(200, 900))]
    data = run("rows['who'] = 'P' + (rows['a'] % 300).astype(str)", rows=rows)
    assert "consider encodings: {who: target} or {who: frequency}" in data.check("many_categories")["messages"][0]
    assert "set datetime_columns: [when] in" in data.check("dates")["messages"][0]


def test_a_row_that_is_not_in_the_sample_is_named(run: Callable[..., Preprocessed]) -> None:
    rows = [*ROWS, *(f"{row},{row % 3},2024-01-01,P{row % 4},{row % 2}" for row in range(1000, 4000))]
    rows[1500] = rows[1500].replace("P", "Q")
    body = "rows['z'] = rows['who'].fillna('P0').str.replace('P', '').astype(float)"
    error = run(body, rows=rows).error or ""
    assert error.startswith("features.py, line 2, in add_features: ValueError: could not convert string to float: 'Q")
    assert error.endswith("(row 1500 of data.csv)")


def test_the_function_gets_the_features_as_documented(run: Callable[..., Preprocessed]) -> None:
    types = {"a": "float64", "b": "float64", "when": "object", "who": "object"}
    body = f"assert rows.dtypes.astype(str).to_dict() == {types}"
    data = run(body)
    assert data.error is None
    assert [column["name"] for column in data.schema["columns"]] == ["a", "b", "when", "who"]


def test_a_function_that_changes_nothing_changes_no_encoded_value(
    run: Callable[..., Preprocessed], run_preprocess: Callable[..., Preprocessed]
) -> None:
    plain = run_preprocess("\n".join(ROWS) + "\n")
    for name in ("train", "validation", "test", "baseline"):
        assert run("pass").rows(name) == plain.rows(name)
