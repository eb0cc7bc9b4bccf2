"""The split is a function of the data: the same rows give the same files, however they come."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROWS = 240


def make_table() -> pa.Table:
    generator = np.random.default_rng(5)
    kind = generator.choice(["red", "green", "dark blue", None], ROWS)
    return pa.table(
        {
            "amount": np.round(generator.normal(size=ROWS) * 1000, 2),
            "count": generator.integers(0, 9, ROWS),
            "kind": kind,
            "id": np.arange(ROWS) + 2**60,
            "at": [f"2024-{1 + row % 12:02}-{1 + row % 28:02}" for row in range(ROWS)],
            "shop": [f"shop {row % 23}" for row in range(ROWS)],
            "target": generator.choice(["no", "yes"], ROWS, p=[0.8, 0.2]),
        }
    )


def as_csv(table: pa.Table) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.column_names)
    writer.writerows(["" if value is None else value for value in row.values()] for row in table.to_pylist())
    return text.getvalue()


def as_parquet(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, row_group_size=50)
    return buffer.getvalue()


def shuffled(table: pa.Table, seed: int = 0) -> pa.Table:
    return table.take(pa.array(np.random.default_rng(seed).permutation(len(table))))


def with_decimals(table: pa.Table) -> pa.Table:
    amounts = pa.array([Decimal(repr(value)) for value in table["amount"].to_pylist()], pa.decimal128(12, 2))
    return table.set_column(0, "amount", amounts)


FORMS = {
    "another order": lambda table: {"a.csv": as_csv(shuffled(table))},
    "three files": lambda table: {f"{n}.csv": as_csv(table.slice(n * 80, 80)) for n in range(3)},
    "files in another order": lambda table: {f"{n}.csv": as_csv(table.slice((2 - n) * 80, 80)) for n in range(3)},
    "Parquet": lambda table: {"a.parquet": as_parquet(table)},
    "Parquet with categories": lambda table: {
        "a.parquet": as_parquet(table.set_column(2, "kind", table["kind"].dictionary_encode()))
    },
    "Parquet with decimals": lambda table: {"a.parquet": as_parquet(with_decimals(table))},
    "both formats": lambda table: {"a.csv": as_csv(table.slice(0, 99)), "b.parquet": as_parquet(table.slice(99))},
}
STRATEGIES = {
    "random": ["--drop-columns", "id", "at", "shop"],
    "time": ["--split-strategy", "time", "--time-column", "at", "--drop-columns", "id", "shop"],
    "group": ["--split-strategy", "group", "--group-column", "shop", "--drop-columns", "id", "at"],
}


def contents(output: Path) -> dict[str, bytes]:
    paths = [path for path in output.rglob("*") if path.is_file() and path.parent.name != "report"]
    return {str(path.relative_to(output)): path.read_bytes() for path in paths}


@pytest.mark.slow
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("form", FORMS)
def test_the_same_rows_give_the_same_bytes(run_preprocess, form, strategy):
    table = make_table()
    expected = run_preprocess(as_csv(table), *STRATEGIES[strategy])
    found = run_preprocess(FORMS[form](table), *STRATEGIES[strategy])
    assert expected.error is None and found.error is None
    assert contents(expected.output).keys() == {
        "train/train.parquet",
        "validation/validation.parquet",
        "test/test.parquet",
        "baseline/baseline.csv",
        "records/records.parquet",
        "schema/sample.csv",
        "schema/test_sample.parquet",
        "schema/schema.json",
    }
    assert contents(found.output) == contents(expected.output)


def test_a_row_that_is_added_changes_the_split_of_no_other_row_but_those_at_the_cuts(run_preprocess):
    """So a model is tested on nearly the same rows after each day's data."""
    table = make_table()
    arguments = STRATEGIES["random"]
    before = run_preprocess(as_csv(table.slice(0, ROWS - 5)), *arguments)
    after = run_preprocess(as_csv(table), *arguments)
    tested = {row["amount"] for row in before.rows("test")}
    assert len(tested - {row["amount"] for row in after.rows("test")}) <= 5
