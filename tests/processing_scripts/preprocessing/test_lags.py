"""Lags: earlier values in the same series, of any column and also of the target."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from preprocessing import duckdb_engine

from tests.container_scripts import Preprocessed

ROWS = 150
SPLITS = ("train", "validation", "test")
Run = Callable[..., Preprocessed]


def sales() -> pd.DataFrame:
    """Three stores of fifty days, in no order."""
    generator = np.random.default_rng(4)
    table = pd.DataFrame(
        {
            "store": np.repeat([" A", "b", "7"], 50),
            "day": np.tile(pd.date_range("2024-01-01", periods=50).strftime("%Y-%m-%d"), 3),
            "visitors": generator.integers(0, 900, ROWS),
            "target": np.round(generator.normal(100, 20, ROWS), 2),
        }
    )
    return table.sample(frac=1, random_state=1, ignore_index=True)


@pytest.fixture
def run(run_preprocess: Run, tmp_path: Path) -> Run:
    """Preprocess a table, or files by name, with lags."""

    def preprocess(content: pd.DataFrame | dict[str, bytes | str], *arguments: str, **lags: list) -> Preprocessed:
        path = tmp_path / "settings.json"
        path.write_text(
            json.dumps({"lags": {"key": ["store"], "time": None, "columns": ["target"], "steps": [1]} | lags})
        )
        by_time = ("--problem-type", "Regression", "--split-strategy", "time", "--time-column", "day")
        files = content if isinstance(content, dict) else content.to_csv(index=False)
        return run_preprocess(files, "--data-settings", str(path), *by_time, *arguments)

    return preprocess


def encoded(done: Preprocessed) -> pd.DataFrame:
    assert done.error is None
    return pd.concat([pq.read_table(done.output / name / f"{name}.parquet").to_pandas() for name in SPLITS])


def by_pandas(table: pd.DataFrame, column: str, step: int, key: list[str]) -> np.ndarray:
    """Return the lags of the rows by day and store."""
    ordered = table.sort_values("day")
    lag = ordered.groupby(key)[column].shift(step) if key else ordered[column].shift(step)
    return ordered.assign(lag=lag).sort_values(["day", "target"])["lag"].to_numpy()


def test_a_lag_is_the_value_so_many_rows_earlier_in_the_series(run: Run):
    table = sales()
    done = run(table, columns=["target", "visitors"], steps=[1, 7])
    names = [feature["name"] for feature in done.schema["features"]]
    lags = ["target_lag_1", "target_lag_7", "visitors_lag_1", "visitors_lag_7"]
    assert names == ["store", "visitors", *lags]
    found = encoded(done).sort_values(["@time", "target"])
    for column in ("target", "visitors"):
        for step in (1, 7):
            expected = by_pandas(table, column, step, ["store"])
            np.testing.assert_array_equal(found[f"{column}_lag_{step}"].to_numpy(np.float64), expected)


def test_lags_are_raw_features_that_baseline_sample_and_records_have(run: Run):
    done = run(sales(), columns=["visitors"], steps=[2])
    header = ["store", "visitors", "visitors_lag_2"]
    for path in ("baseline/baseline.csv", "schema/sample.csv"):
        assert (done.output / path).read_text().splitlines()[0].split(",") == header
    assert pq.read_schema(done.output / "records" / "records.parquet").names == header


def test_without_a_key_all_rows_are_one_series(run: Run):
    table = sales().query("store == 'b'")
    done = run(table, key=[])
    found = encoded(done).sort_values("@time")["target_lag_1"].to_numpy(np.float64)
    np.testing.assert_array_equal(found, by_pandas(table, "target", 1, []))


def test_spellings_of_one_category_are_one_series_and_several_columns_are_a_key(run: Run):
    table = sales().assign(region=lambda table: np.where(table["store"] == "b", 1, 2))
    untidy = table.assign(
        store=[" A " if row % 2 and store == " A" else store for row, store in enumerate(table["store"])]
    )
    assert len(set(untidy["store"])) == 4
    found = encoded(run(untidy, key=["region", "store"])).sort_values(["@time", "target"])
    np.testing.assert_array_equal(found["target_lag_1"].to_numpy(np.float64), by_pandas(table, "target", 1, ["store"]))


def test_dropped_columns_have_lags_that_are_features(run: Run):
    done = run(sales(), "--drop-columns", "visitors", "store", columns=["visitors"])
    assert [feature["name"] for feature in done.schema["features"]] == ["visitors_lag_1"]


def test_the_users_code_gets_the_lags(run: Run, tmp_path: Path):
    code = tmp_path / "features.py"
    code.write_text(
        "def add_features(rows):\n    return rows.assign(change=rows['visitors'] - rows['visitors_lag_1'])\n"
    )
    found = encoded(run(sales(), "--features", str(code), columns=["visitors"]))
    assert found["change"].count() == ROWS - 3
    np.testing.assert_array_equal(found["change"], found["visitors"] - found["visitors_lag_1"])


def test_a_row_without_a_target_is_not_trained_on_but_is_in_its_series(run: Run):
    table = sales()
    table.loc[table["day"] == "2024-01-10", "target"] = np.nan
    done = run(table, columns=["visitors"])
    found = encoded(done)
    assert len(found) == ROWS - 3
    known = table.sort_values("day")
    known["lag"] = known.groupby("store")["visitors"].shift(1)
    expected = known.dropna(subset="target").sort_values(["day", "target"])["lag"].to_numpy()
    found = found.sort_values(["@time", "target"])["visitors_lag_1"].to_numpy(np.float64)
    np.testing.assert_array_equal(found, expected)


def test_the_order_of_rows_and_files_does_not_change_a_byte(run: Run, monkeypatch: pytest.MonkeyPatch):
    table = sales()
    first = run(table, steps=[1, 3])
    halves = {"b.csv": table[:70].to_csv(index=False), "a.csv": table[:69:-1].to_csv(index=False)}
    second = run(halves, steps=[1, 3])
    # and so it is with rows that are not held in memory
    monkeypatch.setattr(duckdb_engine, "MAX_VALUES_IN_MEMORY", 10)
    third = run(table, steps=[1, 3])
    files = [path.relative_to(first.output) for path in first.output.rglob("*") if path.is_file()]
    assert len(files) > 6
    for path in files:
        if path.parent.name != "report":
            assert len({(done.output / path).read_bytes() for done in (first, second, third)}) == 1, path


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 400)), min_size=30, max_size=60, unique=True),
    step=st.integers(1, 9),
    data=st.data(),
)
def test_any_lag_is_that_of_pandas(rows: list[tuple[int, int]], step: int, data: st.DataObject, run: Run):
    values = data.draw(st.lists(st.one_of(st.none(), st.integers(0, 9)), min_size=len(rows), max_size=len(rows)))
    table = pd.DataFrame(rows, columns=["store", "day"]).assign(visitors=values, target=range(len(rows)))
    done = run(table, "--max-missing-share", "1", "--drop-columns", "visitors", columns=["visitors"], steps=[step])
    if done.error is not None:
        # too few values, or times, is an error of its own
        assert "empty in every row" in done.error or "distinct value" in done.error
        return
    found = encoded(done).sort_values("target")[f"visitors_lag_{step}"].to_numpy(np.float64)
    lags = table.sort_values("day").groupby("store")["visitors"].shift(step)
    np.testing.assert_array_equal(found, lags.sort_index().to_numpy(np.float64))


def test_rows_at_the_same_time_are_refused(run: Run):
    table = sales()
    table.loc[len(table)] = [*table.loc[0, ["store", "day", "visitors"]], 5.0]
    message = run(table).error
    assert (
        "2 of 151 rows are at the same time (column 'day') as another one of the same series, the first in row 1"
        in message
    )
    assert "aggregate the rows" in message


def test_exact_duplicates_are_refused_unless_they_are_dropped(run: Run):
    table = sales()
    twice = pd.concat([table, table[:20]])
    assert "at the same time" in run(twice).error
    dropped, once = run(twice, "--duplicates", "drop"), run(table)
    assert dropped.check("duplicate_rows")["numbers"]["duplicates"] == 20
    for name in SPLITS:
        paths = [done.output / name / f"{name}.parquet" for done in (dropped, once)]
        assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize(
    ("lags", "message"),
    [
        ({"key": ["shop"]}, "data.lags names 'shop', which data.csv does not have (columns: store, day, visitors, "),
        ({"columns": ["price"]}, "data.lags names 'price', which data.csv does not have"),
    ],
)
def test_a_column_that_does_not_exist_is_named(run: Run, lags: dict[str, list], message: str):
    done = run(sales(), **lags)
    assert message in done.error
    assert done.check("lags")["status"] == "failed"


def test_a_column_with_the_name_of_a_lag_is_refused(run: Run):
    table = sales().assign(target_lag_1=1)
    assert "data.csv has a column 'target_lag_1' already" in run(table).error


@pytest.mark.parametrize("column", ["store", "day"])
def test_a_row_without_key_or_time_is_refused(run: Run, column: str):
    table = sales()
    table.loc[3, column] = None
    assert f"column {column!r} of data.lags: 1 of 150 rows is without a value" in run(table).error


def test_lags_need_a_split_by_time(run: Run, capsys: pytest.CaptureFixture[str]):
    assert run(sales(), "--split-strategy", "random").error == "2"
    assert "data.lags needs --split-strategy time" in capsys.readouterr().err
