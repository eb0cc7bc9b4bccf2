"""Records from CSV: typed by column, without what is no feature."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployment.records import read_records
from project.errors import UserError
from project.settings import Settings
from tests.deployment.aws import Account
from tests.deployment.conftest import MakeSettings, minimal_settings


def test_numbers_are_numbers_and_texts_are_texts(settings: Settings, account: Account, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("customer,age,rate,plan,y\nC1,31,0.5,basic,yes\nC2,,1e3,12,no\nC3,-4,NA,,yes\n")
    records = read_records(settings, account.target, str(file))
    assert records.rows == (
        {"age": 31, "rate": 0.5, "plan": "basic"},
        {"age": None, "rate": 1000.0, "plan": "12"},
        {"age": -4, "rate": None, "plan": None},
    )
    assert records.labels == ("yes", "no", "yes")
    assert isinstance(records.rows[0]["age"], int)


def test_the_column_of_the_split_is_no_feature(make_settings: MakeSettings, account: Account, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("day,a\n2026-01-01,1\n")
    split = {"strategy": "time", "time_column": "day"}
    records = read_records(make_settings(data={"target_column": "y", "split": split}), account.target, str(file))
    assert records.rows == ({"a": 1},)
    assert records.labels == ()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds no records; expected CSV with a header"),
        ("a,b\n", "holds no records"),
        ("a,b\n1,2\n3\n", "row 2 has 1 fields, the header has 2"),
        ("customer,y\nC1,yes\n", "has no feature columns; its columns are customer, y"),
        (b"a\n\xff\n", "is not text in UTF-8"),
    ],
)
def test_what_is_no_table_is_named(
    settings: Settings, account: Account, tmp_path: Path, content: str | bytes, message: str
) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=message):
        read_records(settings, account.target, str(file))


def test_a_missing_file_is_named(settings: Settings, account: Account) -> None:
    with pytest.raises(UserError, match=r"nowhere\.csv: No such file"):
        read_records(settings, account.target, "nowhere.csv")


@given(
    st.lists(st.one_of(st.integers(-(10**17), 10**17), st.floats(allow_nan=False, allow_infinity=False)), min_size=1)
)
def test_numbers_come_back_as_they_were(tmp_path_factory: pytest.TempPathFactory, values: list[float]) -> None:
    file = tmp_path_factory.mktemp("numbers") / "rows.csv"
    file.write_text("a\n" + "".join(f"{value!r}\n" for value in values))
    rows = read_records(minimal_settings(), None, str(file)).rows  # type: ignore[arg-type]
    assert [row["a"] for row in rows] == values
