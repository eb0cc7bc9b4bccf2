"""FLAML's AutoML restricted to LightGBM, one configuration: the parameters of the others, so that it searches nothing.

Usage: train_flaml.py CSV ROUNDS
"""

import sys

from flaml import AutoML
from sklearn.metrics import roc_auc_score
from train_table import read_splits

_, splits = read_splits(sys.argv[1])
start = {"n_estimators": int(sys.argv[2]), "num_leaves": 31, "learning_rate": 0.05, "min_child_samples": 20}
start |= {"log_max_bin": 8, "colsample_bytree": 1.0, "reg_alpha": 0.001, "reg_lambda": 0.001}
automl = AutoML()
automl.fit(
    *splits["train"],
    X_val=splits["validation"][0],
    y_val=splits["validation"][1],
    task="classification",
    metric="log_loss",
    estimator_list=["lgbm"],
    starting_points={"lgbm": [start]},
    max_iter=1,
    seed=42,
    verbose=0,
)
features, target = splits["test"]
print(f"auc {roc_auc_score(target, automl.predict_proba(features)[:, 1]):.6f}")
