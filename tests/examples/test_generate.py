"""The checked-in data is what the generators make."""

from __future__ import annotations

import pandas as pd
import pytest

from examples.generate import GENERATORS, read_table
from project.paths import REPOSITORY


@pytest.mark.parametrize("name", GENERATORS)
def test_the_checked_in_data_is_generated(name: str) -> None:
    for file_name, table in GENERATORS[name]().items():
        stored = read_table(REPOSITORY / "examples" / name / file_name)
        pd.testing.assert_frame_equal(stored, table.reset_index(drop=True), check_dtype=False, check_freq=False)


def test_the_loans_of_german_credit_are_those_that_are_published() -> None:
    folder = REPOSITORY / "examples" / "german-credit"
    table = read_table(folder / "data.csv")
    assert table.groupby(["sex", "risk"]).size().to_dict() == {
        ("female", "bad"): 109,
        ("female", "good"): 201,
        ("male", "bad"): 191,
        ("male", "good"): 499,
    }
    assert (len(table), table["credit_amount"].sum(), table["age"].sum()) == (1000, 3271258, 35546)
    assert "CC BY 4.0" in (folder / "settings.yaml").read_text(encoding="utf-8")
