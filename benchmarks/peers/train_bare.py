"""LightGBM without anything around it: read, split, train with early stopping, predict, AUC.

Usage: train_bare.py CSV ROUNDS. Prints the seconds in lgb.train, Datasets included, and the AUC.
"""

import os
import sys
import time

import lightgbm as lgb
from sklearn.metrics import roc_auc_score
from train_table import read_splits

# those of training_scripts/, which are LightGBM's own but for the learning rate and the last four
PARAMETERS = {
    "objective": "binary",
    "metric": "binary_logloss",
    "learning_rate": 0.05,
    "seed": 42,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": os.cpu_count(),
    "verbosity": -1,
}

categorical, splits = read_splits(sys.argv[1])
start = time.perf_counter()
train_set = lgb.Dataset(*splits["train"], categorical_feature=categorical)
validation_set = lgb.Dataset(*splits["validation"], reference=train_set)
stop = lgb.early_stopping(50, verbose=False)
booster = lgb.train(PARAMETERS, train_set, int(sys.argv[2]), valid_sets=[validation_set], callbacks=[stop])
print(f"lgb.train {time.perf_counter() - start:.3f}")
features, target = splits["test"]
print(f"auc {roc_auc_score(target, booster.predict(features)):.6f}")
