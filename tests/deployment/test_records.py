"""Records from CSV: typed by column, without columns that are not features."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployment.records import columns_for_fairness, read_records, training_records
from project.errors import UserError
from project.settings import Settings
from project.target import Target
from tests.deployment.conftest import MakeSettings
from tests.deployment.local_account import LocalAccount, minimal_settings

# local files need no account
TARGET = Target("", "bucket", "us-east-1")


def test_a_column_is_numeric_if_all_its_values_are_numbers(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("customer,age,rate,plan,y\nC1,31,0.5,basic,yes\nC2,,1e3,12,no\nC3,-4,NA,,yes\n")
    records = read_records(settings, TARGET, str(file))
    assert records.rows == (
        {"age": 31, "rate": 0.5, "plan": "basic"},
        {"age": None, "rate": 1000.0, "plan": "12"},
        {"age": -4, "rate": None, "plan": None},
    )
    assert records.labels == ("yes", "no", "yes")
    assert isinstance(records.rows[0]["age"], int)


def test_columns_that_are_no_features_of_the_model_are_not_sent(make_settings: MakeSettings, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("day,a,importance,shop\n2026-01-01,1,0.5,x\n")
    split = {"strategy": "time", "time_column": "day", "group_column": "shop"}
    data = {"target_column": "y", "split": split, "weight_column": "importance"}
    records = read_records(make_settings(data=data), TARGET, str(file))
    assert records.rows == ({"a": 1},)
    assert records.labels == ()
    assert records.ids == {"day": ("2026-01-01",), "importance": ("0.5",), "shop": ("x",)}


def test_other_columns_are_sent_if_asked_for_but_never_the_target(make_settings: MakeSettings, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("a,sex,age,y\n1,f,31,yes\n")
    settings = make_settings(data={"target_column": "y", "drop_columns": ["sex", "age"]})
    records = read_records(settings, TARGET, str(file), ("sex", "age"))
    assert records.rows == ({"a": 1, "sex": "f", "age": 31},)
    assert records.labels == ("yes",)


@pytest.mark.parametrize(
    ("unknown_features", "sent"), [("ignore", ("sex", "housing")), ("refuse", ())], ids=["ignored", "refused"]
)
def test_columns_for_fairness_are_sent_to_endpoints_that_ignore_them(
    make_settings: MakeSettings, unknown_features: str, sent: tuple[str, ...]
) -> None:
    fairness = {"facets": [{"column": "sex"}], "group_column": "housing", "favourable": ["yes"]}
    settings = make_settings(fairness=fairness, deployment={"unknown_features": unknown_features})
    assert columns_for_fairness(settings) == sent


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "has no records; expected CSV with a header"),
        ("a,b\n", "has no records"),
        ("a,b\n1,2\n3\n", "row 2 has 1 fields, but the header has 2"),
        ("customer,y\nC1,yes\n", "has no feature columns, only customer, y"),
        (b"a\n\xff\n", "is not UTF-8 text"),
    ],
)
def test_a_file_that_is_not_a_table_is_refused_with_the_reason(
    settings: Settings, tmp_path: Path, content: str | bytes, message: str
) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=message):
        read_records(settings, TARGET, str(file))


def test_a_missing_file_is_named(settings: Settings) -> None:
    with pytest.raises(UserError, match=r"nowhere\.csv: No such file"):
        read_records(settings, TARGET, "nowhere.csv")


def test_records_are_read_from_s3(settings: Settings, account: LocalAccount) -> None:
    uri = account.put("s3://bucket/records/rows.csv", b"age,y\n31,yes\n")
    assert read_records(settings, account.target, uri).rows == ({"age": 31},)
    with pytest.raises(UserError, match=r"cannot read s3://bucket/none.csv: NoSuchKey"):
        read_records(settings, account.target, "s3://bucket/none.csv")


def test_the_training_records_are_the_sample_of_preprocess(
    make_settings: MakeSettings, account: LocalAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.results.describe", lambda target, arn: SimpleNamespace(step=lambda name: name))
    monkeypatch.setattr(
        "pipelines.results.processing_outputs", lambda step, target: {"schema": "s3://bucket/execution/schema"}
    )
    package: Any = SimpleNamespace(version=1, metadata={"pipeline_execution_arn": "arn"})
    account.put("s3://bucket/execution/schema/sample.csv", b"spend,area\n1.234,007\n")
    settings = make_settings(
        data={
            "target_column": "y",
            "csv": {"separator": ";", "decimal": ","},
            "columns": {"spend": {"type": "currency"}},
            "categorical_columns": ["area"],
        }
    )
    # plain CSV with numbers that Preprocess has read
    assert training_records(settings, account.target, package).rows == ({"spend": 1.234, "area": "007"},)


def test_records_of_a_forgotten_execution_are_asked_for(settings: Settings, account: LocalAccount) -> None:
    package: Any = SimpleNamespace(version=1, metadata={})
    with pytest.raises(UserError, match="that registered version 1 was not found; give records with --input"):
        training_records(settings, account.target, package)


def test_a_file_is_read_as_data_csv_says(make_settings: MakeSettings, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes("größe;preis;area;y\n1,5;1.234;007;ja\n-2;;12;nein\n".encode("latin-1"))
    settings = make_settings(
        data={
            "target_column": "y",
            "csv": {"separator": ";", "decimal": ",", "encoding": "latin-1"},
            "columns": {"preis": {"type": "currency"}},
            "categorical_columns": ["area"],
        }
    )
    # texts of data.columns are read by the model: 1.234 € are 1234
    assert read_records(settings, TARGET, str(file)).rows == (
        {"größe": 1.5, "preis": "1.234", "area": "007"},
        {"größe": -2, "preis": None, "area": "12"},
    )


@given(
    st.lists(st.one_of(st.integers(-(10**17), 10**17), st.floats(allow_nan=False, allow_infinity=False)), min_size=1)
)
def test_numbers_are_read_exactly(tmp_path_factory: pytest.TempPathFactory, values: list[float]) -> None:
    file = tmp_path_factory.mktemp("numbers") / "rows.csv"
    file.write_text("a\n" + "".join(f"{value!r}\n" for value in values))
    rows = read_records(minimal_settings(), TARGET, str(file)).rows
    assert [row["a"] for row in rows] == values
