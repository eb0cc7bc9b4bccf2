"""A ranking runs from raw rows to a registered model, whose package has no model quality baseline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.stories.workplace import Workplace

pytestmark = pytest.mark.slow

# of the 24 results that each search has, whose relevance is from 0 to 4
SEARCHES, RESULTS = 120, 24


@pytest.fixture(scope="module")
def run(workplace: Workplace, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("searches")
    searches().to_csv(folder / "searches.csv", index=False)
    settings = {
        "name": "searches",
        "problem_type": "Ranking",
        "data": {"input": "searches.csv", "target_column": "relevance", "group_column": "search"},
        "quality": {"metric": "ndcg_at_10", "threshold": 0.8},
        "training": {"num_boost_round": 60},
    }
    (folder / "settings.yaml").write_text(yaml.safe_dump(settings))
    return workplace.run(settings=str(folder / "settings.yaml"))


def searches() -> pd.DataFrame:
    """Return results whose relevance depends on text match and rating, in no order."""
    generator = np.random.default_rng(8)
    rows = SEARCHES * RESULTS
    match, rating = generator.random(rows), generator.random(rows)
    score = 2.5 * match + rating + generator.normal(0, 0.3, rows)
    return pd.DataFrame(
        {
            "search": generator.permutation(np.repeat([f"s{number}" for number in range(SEARCHES)], RESULTS)),
            "match": match.round(4),
            "rating": rating.round(4),
            "price": generator.lognormal(3, 1, rows).round(2),
            "relevance": np.digitize(score, np.quantile(score, [0.5, 0.75, 0.9, 0.97])),
        }
    )


def test_the_model_ranks_much_better_than_chance(run: dict[str, Any]) -> None:
    # by chance it is 0.33, by the score without its noise 0.93
    assert run["ModelPackage"]["version"] == 1
    assert run["Metrics"]["ndcg_at_10"] > 0.8


def test_only_the_data_have_a_baseline(run: dict[str, Any], workplace: Workplace) -> None:
    assert [*run["Baselines"]] == ["DataQualityBaseline"]
    statistics = workplace.object(run["Baselines"]["DataQualityBaseline"]) / "statistics.json"
    assert statistics.exists()


def test_the_report_is_written(run: dict[str, Any], workplace: Workplace) -> None:
    page = Path(workplace.object(run["ReportUri"])).read_text(encoding="utf-8")
    assert "ndcg" in page.lower()
