"""The metrics that train.py prints: what the training job reports, and what a tuning job can optimize."""

from __future__ import annotations

from project.settings.section import ProblemType

# Of the train and the validation split. The first one is the default objective of a tuning job.
TRAINING_METRICS: dict[ProblemType, tuple[str, ...]] = {
    "BinaryClassification": ("auc", "binary_logloss", "accuracy", "f1"),
    "MulticlassClassification": ("multi_logloss", "accuracy", "weighted_f1"),
    "Regression": ("rmse", "mae", "r2"),
    "Ranking": ("ndcg@10", "ndcg@5", "map@10"),
}
# Those that are printed while the model trains; the others are printed at the end only.
CURVE_METRICS = frozenset({"auc", "binary_logloss", "multi_logloss", "rmse", "mae", "ndcg@10", "ndcg@5", "map@10"})
MINIMIZED = frozenset({"binary_logloss", "multi_logloss", "rmse", "mae"})
