"""Rankings: the rows of a query stay together, and relevances are what LightGBM has gains for."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest
from preprocessing import rankings

ARGUMENTS = ("--problem-type", "Ranking", "--split-strategy", "group", "--group-column", "query")
SPLITS = ("train", "validation", "test")


def searches(relevances: list[object] | None = None, queries: int = 24, results: int = 6) -> str:
    """Make the results of searches, those of a query not one behind the other."""
    generator = np.random.default_rng(3)
    relevances = relevances or generator.integers(0, 5, queries * results).tolist()
    rows = [
        f"{price:.2f},q{row % queries},{relevances[row]}" for row, price in enumerate(generator.random(len(relevances)))
    ]
    return "\n".join(["price,query,target", *rows]) + "\n"


def test_the_rows_of_a_query_are_in_one_split_one_behind_the_other(run_preprocess):
    run = run_preprocess(searches(), *ARGUMENTS)
    assert run.error is None
    assert (run.schema["problem_type"], run.schema["group"], run.schema["classes"]) == ("Ranking", "query", None)
    assert [feature["name"] for feature in run.schema["features"]] == ["price"]
    groups = [pq.read_table(run.output / name / f"{name}.parquet")["@group"].to_numpy() for name in SPLITS]
    for numbers in groups:
        changes = 1 + np.count_nonzero(np.diff(numbers))
        assert changes == len(set(numbers.tolist())) == len(numbers) // 6
    assert sum(len(set(numbers.tolist())) for numbers in groups) == len(set(np.concatenate(groups).tolist())) == 24
    assert run.check("queries")["numbers"]["splits"]["train"]["queries"] == len(groups[0]) // 6


@pytest.mark.parametrize(
    ("odd", "message"),
    [
        ("31", "1 of 144 values is not, first in row 1 of data.csv"),
        ("-1", "1 of 144 values is not, first in row 1 of data.csv"),
        ("1.5", "1 of 144 values is not, first in row 1 of data.csv"),
        ("relevant", "column 'target' is not numeric, but a Ranking needs numbers"),
    ],
)
def test_relevances_are_small_whole_numbers(run_preprocess, odd, message):
    run = run_preprocess(searches([odd, *([0, 1] * 72)[1:]]), *ARGUMENTS)
    assert message in run.error
    assert run.check("target")["columns"] == ["target"]


def test_relevances_may_be_doubles_that_are_whole(run_preprocess):
    assert run_preprocess(searches(["0.0", "1.0"] * 72, queries=23), *ARGUMENTS).error is None


def test_queries_whose_rows_have_one_relevance_are_refused(run_preprocess):
    run = run_preprocess(searches([row % 24 % 2 for row in range(144)]), *ARGUMENTS)
    assert "no query (group_column 'query') in the split train, validation, test has rows of different" in run.error


def test_a_query_longer_than_lightgbm_accepts_is_refused(run_preprocess, monkeypatch):
    monkeypatch.setattr(rankings, "MAX_QUERY_ROWS", 5)
    assert "has 6 rows, more than the 5 that LightGBM accepts" in run_preprocess(searches(), *ARGUMENTS).error


def test_a_row_without_a_query_is_refused(run_preprocess):
    assert "1 of 144 rows is without a value" in run_preprocess(searches().replace(",q3,", ",,", 1), *ARGUMENTS).error


def test_a_ranking_is_split_by_its_queries(run_preprocess, capsys):
    run = run_preprocess(searches(), "--problem-type", "Ranking")
    assert run.error == "2"
    assert "needs --split-strategy group" in capsys.readouterr().err
