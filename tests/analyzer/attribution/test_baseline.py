"""A SHAP baseline is made of the centers of clusters."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from analyzer import QualityError
from analyzer.attribution.baseline import MAX_CLUSTERS, cluster_baseline


def groups(count: int, rows: int = 300) -> pa.Table:
    """Records of well separated groups: a number, an integer and a category."""
    generator = np.random.default_rng(count)
    group = generator.integers(0, count, rows)
    return pa.table(
        {
            "income": group * 10 + generator.normal(size=rows),
            "visits": group * 100,
            "plan": np.array([f"plan {place}" for place in range(count)])[group],
        }
    )


@pytest.mark.parametrize("count", [2, 3, 5])
def test_each_group_of_records_is_a_row(count: int) -> None:
    data = groups(count)
    rows = cluster_baseline(data, seed=1)
    assert rows.schema == data.schema
    assert sorted(rows["visits"].to_pylist()) == [100 * place for place in range(count)]
    for row in rows.to_pylist():
        of_group = data["income"].to_numpy()[data["visits"].to_numpy() == row["visits"]]
        assert row["income"] == pytest.approx(of_group.mean())
        assert row["plan"] == f"plan {row['visits'] // 100}"


def test_records_without_groups_are_one_row_of_means() -> None:
    values = np.random.default_rng(0).normal(size=(500, 4))
    rows = cluster_baseline(pa.table({f"x{place}": column for place, column in enumerate(values.T)}), seed=1)
    assert [*rows.to_pylist()[0].values()] == pytest.approx(values.mean(axis=0).tolist())
    assert len(rows) == 1


def test_the_number_of_clusters_can_be_set_up_to_the_distinct_records() -> None:
    assert len(cluster_baseline(groups(2), 7, seed=1)) == 7
    assert len(cluster_baseline(pa.table({"x": [1.0, 1.0, 2.0]}), 7)) == 2
    assert len(cluster_baseline(groups(20))) <= MAX_CLUSTERS


def test_missing_values_count_neither_as_numbers_nor_as_categories() -> None:
    data = pa.table({"x": [1.0, None, 3.0], "plan": [None, "gold", None], "none": pa.nulls(3, pa.float64())})
    assert cluster_baseline(data, 1).to_pylist() == [{"x": 2.0, "plan": "gold", "none": None}]


def test_a_seed_makes_the_rows_reproducible() -> None:
    data = groups(4, 20_000)
    assert cluster_baseline(data, 3, seed=5) == cluster_baseline(data, 3, seed=5)
    assert cluster_baseline(data, 3, seed=5) != cluster_baseline(data, 3, seed=6)


def test_no_records_and_no_clusters_are_refused() -> None:
    with pytest.raises(QualityError, match="no records to make a SHAP baseline of"):
        cluster_baseline(groups(2).slice(0, 0))
    with pytest.raises(QualityError, match="num_clusters is 0"):
        cluster_baseline(groups(2), 0)
