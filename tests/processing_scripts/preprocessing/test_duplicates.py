"""Equal rows: what becomes of them, what the report says about them, and that they share a split."""

from __future__ import annotations

import numpy as np
import pytest

SPLITS = ("train", "validation", "test")
SHARES = (0.7, 0.1, 0.2)


def survey(rows: int = 2000) -> str:
    """Make a table with few distinct rows, a quarter of them of class yes."""
    generator = np.random.default_rng(3)
    a, b = generator.integers(0, 4, (2, rows))
    yes = generator.random(rows) < np.where(a < 2, 0.4, 0.1)
    lines = [f"v{a[row]},v{b[row]},{'yes' if yes[row] else 'no'}" for row in range(rows)]
    return "\n".join(["a,b,target", *lines]) + "\n"


def share_of_yes(data) -> float:
    labels = [row["target"] for split in SPLITS for row in data.rows(split)]
    return labels.count("1") / len(labels)


def distinct(rows: int = 60) -> list[str]:
    return [f"{row}.5,{'yes' if row % 3 == 0 else 'no'}" for row in range(rows)]


def csv(rows: list[str]) -> str:
    return "\n".join(["x,target", *rows]) + "\n"


def test_a_table_of_few_distinct_rows_keeps_them_and_its_class_shares(run_preprocess, capsys):
    data = run_preprocess(survey())
    assert data.error is None
    assert sum(len(data.rows(split)) for split in SPLITS) == 2000
    assert 0.2 < share_of_yes(data) < 0.3
    for split, share in zip(SPLITS, SHARES, strict=True):
        rows = data.rows(split)
        assert abs(len(rows) - 2000 * share) <= 1
        assert len({(row["a"], row["b"]) for row in rows}) == 16, "each split has its share of frequent rows"
    numbers = data.check("duplicate_rows")["numbers"]
    assert numbers["duplicates"] == 2000 - 32
    assert numbers["class_shares"]["yes"] == share_of_yes(data)
    assert numbers["class_shares_without_duplicates"] == {"no": 0.5, "yes": 0.5}
    assert "dropping them (duplicates: drop) would change the share of class" in capsys.readouterr().out


def test_duplicates_are_dropped_on_request_with_a_warning_about_the_classes(run_preprocess):
    rows = distinct()
    data = run_preprocess(csv([*rows, rows[0], *rows[:5]]), "--duplicates", "drop")
    assert sorted(float(row["x"]) for split in SPLITS for row in data.rows(split)) == [row + 0.5 for row in range(60)]
    check = data.check("duplicate_rows")
    assert check["numbers"]["duplicates"] == 6
    assert check["message"] == (
        "6 of 66 rows are exact duplicates and dropped, which changes the share of class 'yes' from 34.8% to 33.3%; "
        "set duplicates to keep unless they are mistakes"
    )


def test_a_single_duplicate_is_named_in_the_singular(run_preprocess):
    data = run_preprocess(csv([*distinct(), distinct()[0]]))
    assert data.check("duplicate_rows")["message"].startswith("1 of 61 rows is an exact duplicate and kept;")


def test_duplicates_that_are_an_error_are_named_by_file_and_row(run_preprocess):
    rows = distinct()
    files = {"a.csv": csv(rows[:30]), "b.csv": csv([*rows[30:], rows[2], ",no", *rows[40:50]])}
    data = run_preprocess(files, "--duplicates", "error")
    assert data.error == (
        "11 of 72 rows are exact duplicates: row 31 of b.csv equals row 3 of a.csv, row 33 of b.csv equals row 11 of "
        "b.csv, row 34 of b.csv equals row 12 of b.csv, row 35 of b.csv equals row 13 of b.csv, row 36 of b.csv equals "
        "row 14 of b.csv and 6 more; remove them, or set duplicates to keep or drop"
    )


def test_rows_without_duplicates_pass_under_every_setting(run_preprocess):
    for setting in ("keep", "drop", "error"):
        data = run_preprocess(csv(distinct()), "--duplicates", setting)
        assert data.error is None
        assert data.check("duplicate_rows")["status"] == "passed"


def test_rows_are_numbered_as_in_the_file_although_others_have_no_target(run_preprocess):
    rows = distinct()
    error = run_preprocess(csv(["7,", "8,", *rows, rows[0]]), "--duplicates", "error").error
    assert "row 63 of data.csv equals row 3 of data.csv" in error


def test_a_regression_reports_the_mean_without_duplicates(run_preprocess):
    rows = [f"{row}.5,{row}" for row in range(60)]
    data = run_preprocess(csv([*rows, *rows[50:]]), "--problem-type", "Regression")
    numbers = data.check("duplicate_rows")["numbers"]
    assert numbers["target_mean_without_duplicates"] == 29.5
    assert numbers["target_mean"] == (1770 + 545) / 70


def test_values_that_are_the_same_double_are_not_duplicates(run_preprocess):
    rows = [f"{20240101000000000000 + row},{row % 2},{'yes' if row % 2 else 'no'}" for row in range(60)]
    data = run_preprocess("\n".join(["order,x,target", *rows]), "--drop-columns", "order", "--duplicates", "error")
    assert data.error is None


@pytest.mark.parametrize("copies", [2, 3, 5])
def test_copies_of_a_row_share_a_split_and_the_shares_are_kept(run_preprocess, copies):
    rows = distinct(200)
    data = run_preprocess(csv([*rows, *(row for row in rows[:40] for _ in range(copies - 1))]))
    found = {split: [row["x"] for row in data.rows(split)] for split in SPLITS}
    assert sum(len(set(values)) for values in found.values()) == 200, "no row is in two splits"
    total = sum(map(len, found.values()))
    assert [len(found[split]) for split in SPLITS] == pytest.approx([total * share for share in SHARES], abs=copies)


def test_rows_with_equal_features_and_different_targets_share_a_split(run_preprocess):
    rows = [f"{row}.5,{label}" for row in range(100) for label in ("no", "yes")]
    data = run_preprocess(csv(rows))
    found = [{row["x"] for row in data.rows(split)} for split in SPLITS]
    assert [len(values) for values in found] == [70, 10, 20]
    assert len(set.union(*found)) == 100
