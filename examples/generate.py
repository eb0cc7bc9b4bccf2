"""Generates the examples' data: `python -m examples.generate`. A test compares the result with the checked-in files.

breast-cancer, wine and diabetes are real data from scikit-learn; the others are generated from fixed seeds, but for
german-credit: real data, whose origin and licence its settings name.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine, make_classification


def breast_cancer() -> dict[str, pd.DataFrame]:
    """Return the Wisconsin diagnostic data: 569 tumors, 30 measurements of cell nuclei, benign or malignant."""
    table, names = _sklearn_table(load_breast_cancer(as_frame=True))
    table["diagnosis"] = table.pop("target").map(dict(enumerate(names)))
    return {"data.csv": table}


def wine() -> dict[str, pd.DataFrame]:
    """Return 178 wines of three cultivars with 13 chemical measurements."""
    table, names = _sklearn_table(load_wine(as_frame=True))
    table["cultivar"] = table.pop("target").map(dict(enumerate(names)))
    return {"data.csv": table}


def diabetes() -> dict[str, pd.DataFrame]:
    """Return 442 patients with ten measurements and the progression of the disease after a year."""
    table, _ = _sklearn_table(load_diabetes(as_frame=True, scaled=False))
    return {"data.csv": table.rename(columns={"target": "progression"})}


def synthetic() -> dict[str, pd.DataFrame]:
    """Return 3,000 rows of two classes with 25 features, 20 of them informative."""
    features, target = make_classification(
        n_samples=3000, n_features=25, n_informative=20, n_redundant=5, class_sep=1.5, random_state=42
    )
    table = pd.DataFrame(features.round(5), columns=[f"feature_{number:02d}" for number in range(25)])
    return {"data.csv": table.assign(target=target)}


def churn() -> dict[str, pd.DataFrame]:
    """Return 4,000 customers; 5 % of three columns are missing, independently of churn."""
    rng = np.random.default_rng(7)
    rows = 4000
    contract = rng.choice(["month-to-month", "one year", "two year"], rows, p=[0.55, 0.25, 0.2])
    payment = rng.choice(["electronic check", "mailed check", "bank transfer", "credit card"], rows)
    tenure = np.minimum(rng.exponential(30, rows), 72).astype(int)
    charges = rng.normal(65, 25, rows).clip(18, 120).round(2)
    age = rng.normal(45, 15, rows).clip(18, 90).round()
    score = (
        1.3 * (contract == "month-to-month")
        - 1.2 * (contract == "two year")
        + 0.7 * (payment == "electronic check")
        - 0.05 * tenure
        + 0.03 * (charges - 65)
        - 0.012 * (age - 45)
        - 0.2
    )
    table = pd.DataFrame(
        {
            "customer_id": [f"C{number:05d}" for number in range(rows)],
            "age": age,
            "tenure_months": tenure,
            "monthly_charges": charges,
            "gender": rng.choice(["female", "male"], rows),
            "contract_type": contract,
            "payment_method": payment,
            "churned": np.where(rng.random(rows) < _sigmoid(2 * score), "yes", "no"),
        }
    )
    for column in ("age", "monthly_charges", "payment_method"):
        table.loc[rng.random(rows) < 0.05, column] = None
    return {"data.csv": table}


def fraud() -> dict[str, pd.DataFrame]:
    """Return 20,000 card transactions; 2 % are fraud: many per hour, at many merchants, for large amounts."""
    rng = np.random.default_rng(11)
    rows = 20_000
    is_fraud = rng.random(rows) < 0.02
    average = rng.lognormal(3.6, 0.6, rows)
    count = 1 + rng.poisson(np.where(is_fraud, 3.5, 0.7))
    amount = average * rng.lognormal(np.where(is_fraud, 0.9, 0.0), 0.7)
    table = pd.DataFrame(
        {
            "txn_count_1h": count,
            "txn_amount_1h": (amount + average * (count - 1) * rng.lognormal(0, 0.3, rows)).round(2),
            "merchant_count_24h": 1 + rng.poisson(np.where(is_fraud, 4.0, 1.5)),
            "avg_amount_7d": average.round(2),
            "amount": amount.round(2),
            "is_fraud": is_fraud.astype(int),
        }
    )
    return {"data.csv": table}


def taxi() -> dict[str, pd.DataFrame]:
    """Return the taxi pickups of each quarter of an hour, with a daily and a weekly rhythm.

    `data.parquet` is the 23 weeks to learn from; `collapse.parquet` the ten after them, in the middle of which demand
    falls to a third, as it did in spring 2020.
    """
    rng = np.random.default_rng(2020)
    slots_a_week = 7 * 96
    time = pd.date_range("2019-09-02", periods=33 * slots_a_week, freq="15min")
    hour = (time.hour + time.minute / 60).to_numpy()
    weekend = (time.day_of_week.to_numpy() >= 5).astype(float)
    morning = np.exp(-(((hour - 8.5) / 2) ** 2)) * (1 - 0.7 * weekend)
    evening = np.exp(-(((hour - 19) / 3.5) ** 2)) * (1 + 0.2 * weekend)
    night = np.exp(-((((hour + 12) % 24 - 12.5) / 2) ** 2)) * (0.2 + 0.6 * weekend)
    level = 40 + 220 * morning + 300 * evening + 150 * night
    weather = np.convolve(rng.normal(0, 1, len(time) + 95), np.ones(96) / 96**0.5, mode="valid") * 0.08
    collapsed = np.arange(len(time)) >= 28 * slots_a_week
    pickups = rng.poisson(level * np.exp(weather) * np.where(collapsed, 0.35, 1.0))

    table = pd.DataFrame(
        {"pickup_time": time, "hour": hour, "day_of_week": time.day_of_week.astype("int8"), "pickups": pickups}
    )
    split = 23 * slots_a_week
    return {"data.parquet": table.iloc[:split], "collapse.parquet": table.iloc[split:]}


GENERATORS: dict[str, Callable[[], dict[str, pd.DataFrame]]] = {
    "breast-cancer": breast_cancer,
    "wine": wine,
    "diabetes": diabetes,
    "synthetic": synthetic,
    "churn": churn,
    "fraud": fraud,
    "taxi": taxi,
}


def read_table(path: Path) -> pd.DataFrame:
    return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)


def write_table(table: pd.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        table.to_parquet(path, index=False)
    else:
        table.to_csv(path, index=False, lineterminator="\n")


def _sklearn_table(bunch: object) -> tuple[pd.DataFrame, list[str]]:
    table = bunch.frame.copy()  # type: ignore[attr-defined]
    table.columns = [str(name).replace(" ", "_").replace("/", "_") for name in table.columns]
    names = getattr(bunch, "target_names", [])
    return table, [str(name) for name in names]


def _sigmoid(score: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-score))


if __name__ == "__main__":
    for example, generate in GENERATORS.items():
        for file_name, content in generate().items():
            write_table(content, Path(__file__).parent / example / file_name)
