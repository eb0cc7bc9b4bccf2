"""The section `quality`: what a model must reach to be registered."""

from __future__ import annotations

from pydantic import Field

from project.settings.section import Section

# Model Monitor's metric names
METRICS: dict[str, tuple[str, ...]] = {
    "BinaryClassification": ("auc", "accuracy", "precision", "recall", "f0_5", "f1", "f2"),
    "MulticlassClassification": (
        "accuracy",
        "weighted_precision",
        "weighted_recall",
        "weighted_f0_5",
        "weighted_f1",
        "weighted_f2",
    ),
    "Regression": ("rmse", "mae", "mse", "r2"),
    "Ranking": ("ndcg", "ndcg_at_5", "ndcg_at_10", "map", "map_at_10"),
}
LOWER_IS_BETTER = frozenset({"rmse", "mae", "mse"})


class QualitySettings(Section):
    """The test metric that decides whether a model is registered."""

    metric: str = Field(description="Metric on the test split, by Model Monitor's name; see the table of metrics.")
    threshold: float = Field(description="Value the metric must reach: a minimum, or for rmse, mae and mse a maximum.")

    segments: tuple[str, ...] = Field(
        default=(),
        description="Columns by whose values the test metrics are also reported; dropped columns may be among them.",
    )

    @property
    def lower_is_better(self) -> bool:
        return self.metric in LOWER_IS_BETTER
