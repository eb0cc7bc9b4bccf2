"""The checked-in data is what the generators make."""

from __future__ import annotations

import pandas as pd
import pytest

from examples import EXAMPLES
from examples.generate import GENERATORS, read_table
from project.paths import REPOSITORY


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_checked_in_data_is_generated(name: str) -> None:
    for file_name, table in GENERATORS[name]().items():
        stored = read_table(REPOSITORY / "examples" / name / file_name)
        pd.testing.assert_frame_equal(stored, table.reset_index(drop=True), check_dtype=False, check_freq=False)
