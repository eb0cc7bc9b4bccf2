"""Tune LightGBM on the splits of Preprocess: the trials of one search, one after the other, in this process.

Usage: tune_lightgbm.py FOLDER METHOD TRIALS SEED [RANGES]

METHOD: `ours` (the Bayesian search of the local SageMaker), `folds` (the same with the mean loss over five folds, as
with training.folds) or `tpe` (optuna's default sampler), all in RANGES, the JSON of a tuning job's ParameterRanges; or
`stepwise` (optuna's LightGBMTuner, which has a search space of its own).
Prints a JSON object: the loss of the best model on the validation split and on the test split.
"""

import json
import sys
from pathlib import Path

import lightgbm as lgb
import numpy as np
import optuna
import pyarrow.parquet as pq
from sklearn.model_selection import KFold, StratifiedKFold

OBJECTIVES = {
    "BinaryClassification": ("binary", "binary_logloss"),
    "MulticlassClassification": ("multiclass", "multi_logloss"),
    "Regression": ("regression", "rmse"),
}
ROUNDS, PATIENCE = 500, 50

folder, method, trials, seed = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
schema = json.loads((folder / "schema" / "schema.json").read_text())
columns = schema.get("columns") or schema["features"]
types = {feature["name"]: feature["type"] for feature in schema["features"]}
objective, metric = OBJECTIVES[schema["problem_type"]]
optuna.logging.set_verbosity(optuna.logging.ERROR)

fixed = {"objective": objective, "metric": metric, "seed": 42, "deterministic": True, "force_row_wise": True}
fixed |= {"num_threads": 1, "verbosity": -1, "feature_pre_filter": False}
if objective == "multiclass":
    fixed["num_class"] = len(schema["classes"])


def read(split: str) -> tuple[np.ndarray, np.ndarray]:
    table = pq.read_table(folder / split)
    features = [np.asarray(table[column["name"]].to_pandas(), dtype=np.float64) for column in columns]
    return np.column_stack(features), table[schema["target"]].to_numpy()


def dataset(split: str, reference: lgb.Dataset | None = None) -> lgb.Dataset:
    features, target = data[split]
    categories = [at for at, c in enumerate(columns) if c.get("type", types.get(c.get("source", ""))) == "category"]
    return lgb.Dataset(
        features, target, reference=reference, categorical_feature=categories, params=fixed, free_raw_data=False
    )


def train(parameters: dict) -> tuple[float, lgb.Booster]:
    train_set = dataset("train")
    booster = lgb.train(
        fixed | parameters,
        train_set,
        ROUNDS,
        valid_sets=[dataset("validation", train_set)],
        callbacks=[lgb.early_stopping(PATIENCE, verbose=False)],
    )
    return booster.best_score["valid_0"][metric], booster


def fold_loss(parameters: dict, rounds: int) -> float:
    """Measure models with so many rounds on each fifth of the training and validation rows."""
    features, target = (np.concatenate(parts) for parts in zip(data["train"], data["validation"], strict=True))
    splitter = KFold if objective == "regression" else StratifiedKFold
    losses = []
    for learned, measured in splitter(5, shuffle=True, random_state=42).split(features, target):
        data["learned"], data["measured"] = ((features[rows], target[rows]) for rows in (learned, measured))
        losses.append(loss(lgb.train(fixed | parameters, dataset("learned"), rounds), "measured"))
    return float(np.mean(losses))


def loss(booster: lgb.Booster, split: str) -> float:
    features, target = data[split]
    scores = np.asarray(booster.predict(features, num_iteration=booster.best_iteration or None))
    if objective == "regression":
        return float(np.sqrt(np.mean((scores - target) ** 2)))
    if objective == "binary":
        scores = np.column_stack([1 - scores, scores])
    chosen = scores[np.arange(len(target)), target.astype(int)]
    return float(-np.mean(np.log(np.clip(chosen, 1e-15, None))))


def search_ours(ranges: dict, by_folds: bool = False) -> lgb.Booster:
    from local_sagemaker.jobs.tuning.search import make_search

    limits = {"MaxNumberOfTrainingJobs": trials, "MaxParallelTrainingJobs": 1}
    goal = {"Type": "Minimize", "MetricName": metric}
    config = {"Strategy": "Bayesian", "ResourceLimits": limits, "HyperParameterTuningJobObjective": goal}
    search = make_search(config | {"RandomSeed": seed}, ranges)
    best: tuple[float, lgb.Booster | None] = (np.inf, None)
    for _ in range(trials):
        suggestion = search.ask()
        value, booster = train(dict(suggestion.hyperparameters))
        if by_folds:
            value = fold_loss(dict(suggestion.hyperparameters), booster.best_iteration)
        search.tell(suggestion.number, value)
        best = min(best, (value, booster), key=lambda item: item[0])
    return best[1]


def search_tpe(ranges: dict) -> lgb.Booster:
    from local_sagemaker.jobs.tuning.ranges import parse_ranges

    space = {name: item.distribution() for name, item in parse_ranges(ranges).items()}
    study = optuna.create_study(direction="minimize", sampler=optuna.samplers.TPESampler(seed=seed))
    best: tuple[float, lgb.Booster | None] = (np.inf, None)
    for _ in range(trials):
        trial = study.ask(space)
        value, booster = train(dict(trial.params))
        study.tell(trial, value)
        best = min(best, (value, booster), key=lambda item: item[0])
    return best[1]


def search_stepwise() -> lgb.Booster:
    from optuna_integration.lightgbm import LightGBMTuner

    train_set = dataset("train")
    tuner = LightGBMTuner(
        fixed | {"learning_rate": 0.05},
        train_set,
        ROUNDS,
        valid_sets=[dataset("validation", train_set)],
        callbacks=[lgb.early_stopping(PATIENCE, verbose=False)],
        optuna_seed=seed,
        show_progress_bar=False,
    )
    tuner.run()
    return tuner.get_best_booster()


data = {split: read(split) for split in ("train", "validation", "test")}
if method == "stepwise":
    booster = search_stepwise()
elif method == "tpe":
    booster = search_tpe(json.loads(sys.argv[5]))
else:
    booster = search_ours(json.loads(sys.argv[5]), by_folds=method == "folds")
print(json.dumps({split: loss(booster, split) for split in ("validation", "test")}))
