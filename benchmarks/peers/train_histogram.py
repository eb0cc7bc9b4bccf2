"""scikit-learn's HistGradientBoostingClassifier, with the same size of trees and early stopping.

Usage: train_histogram.py CSV ROUNDS. It holds out a tenth of the training rows by itself.
"""

import sys

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from train_table import read_splits

categorical, splits = read_splits(sys.argv[1])
model = HistGradientBoostingClassifier(
    learning_rate=0.05,
    max_iter=int(sys.argv[2]),
    max_leaf_nodes=31,
    early_stopping=True,
    n_iter_no_change=50,
    categorical_features=categorical,
    random_state=42,
)
train, validation = splits["train"], splits["validation"]
model.fit(np.concatenate([train[0], validation[0]]), np.concatenate([train[1], validation[1]]))
features, target = splits["test"]
print(f"auc {roc_auc_score(target, model.predict_proba(features)[:, 1]):.6f}")
