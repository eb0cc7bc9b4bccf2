"""`pipelines predict`: how it reads a CSV file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipelines.csv_texts import read_csv_texts
from pipelines.predictions import _as_parquet
from project.errors import UserError
from project.settings import Settings


def test_only_plain_columns_get_decimal_points(make_settings: Callable[..., Settings], tmp_path: Path) -> None:
    settings = make_settings(
        data={
            "target_column": "y",
            "csv": {"separator": ";", "decimal": ","},
            "columns": {"amount": {"type": "currency"}},
        }
    )
    source = tmp_path / "data.csv"
    source.write_text("id;amount;weight;size\nK1,5;1.334,60 €;87,5;3,5\n1,5;12,50;-0,5;XL 1,5\n", encoding="utf-8")
    rows = pq.read_table(_as_parquet(settings, source, tmp_path / "rows.parquet", {"weight", "size", "other"}))
    assert rows.to_pydict() == {
        "id": ["K1,5", "1,5"],
        "amount": ["1.334,60 €", "12,50"],
        "weight": ["87.5", "-0.5"],
        "size": ["3.5", "XL 1,5"],
    }


def test_rows_with_more_fields_than_the_header_are_refused(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    source = tmp_path / "data.csv"
    source.write_text("a,b\n1,2,\n3,4,\n", encoding="utf-8")
    with pytest.raises(UserError, match="its rows have more fields than its header"):
        _as_parquet(make_settings(), source, tmp_path / "rows.parquet", set())


def test_blanks_around_names_do_not_matter(tmp_path: Path) -> None:
    source = tmp_path / "data.csv"
    source.write_text("a , b\n1, 2\n", encoding="utf-8")
    (chunk,) = read_csv_texts(source, {})
    assert chunk.to_dict("list") == {"a": ["1"], "b": [" 2"]}
