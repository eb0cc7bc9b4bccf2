"""A profile of the training split: each feature's values, and how well it predicts the target by itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

# So many rows show a distribution; more would only take longer.
MAX_ROWS = 200_000
BINS = 20
# The strength of a number is measured with finer bins, so that the largest values do not share one.
MAX_QUANTILES, ROWS_PER_QUANTILE = 200, 20
MAX_CATEGORIES = 12
# A feature that explains more of the target than this by itself is likely to be known only after it.
SUSPICIOUS = 0.8
# The mean of fewer rows is not shown, and that of a slice needs more.
MIN_ROWS, MIN_SLICE_ROWS = 5, 30
MAX_SLICES = 12


@dataclass(frozen=True)
class Bin:
    """Rows with values in a range, or of a category.

    Attributes:
        label: The range or the category.
        rows: How many rows.
        target: The mean of the target among them; None without rows.
    """

    label: str
    rows: int
    target: float | None


@dataclass(frozen=True)
class FeatureProfile:
    """A feature of the training split.

    Attributes:
        name: Its name.
        kind: number, category, datetime or text.
        missing: The share of missing values.
        distinct: How many different values it has.
        facts: Minimum, median and maximum of a number, or the most frequent category with its share.
        bins: Its values, a number's from low to high, categories by their rows.
        strength: The share of the target's variance that the feature explains by itself, on rows that it was not
            measured on: 0 nothing, 1 all.
    """

    name: str
    kind: str
    missing: float
    distinct: int
    facts: str
    bins: Sequence[Bin]
    strength: float

    @property
    def is_suspicious(self) -> bool:
        return self.strength > SUSPICIOUS


@dataclass(frozen=True)
class Profile:
    """The training split.

    Attributes:
        rows: How many rows it has.
        target: The name of the target.
        target_bins: The classes with their rows, or the distribution of the numbers.
        shown: What the mean of the target in bins is: the share of a class, or the mean.
        mean: That of all rows.
        deviation: The standard deviation of what it is the mean of.
        is_share: Whether it is the share of a class.
        features: The features, the strongest first.
    """

    rows: int
    target: str
    target_bins: Sequence[Bin]
    shown: str
    mean: float
    deviation: float
    is_share: bool
    features: Sequence[FeatureProfile]

    def text(self, target: float | None) -> str:
        """Format a mean of the target."""
        if target is None:
            return ""
        return f"{100 * target:.3g} %" if self.is_share else f"{target:.4g}"

    @property
    def target_range(self) -> tuple[float, float]:
        """The lowest and the highest mean of the target among the bins of all features."""
        means = [
            bin_.target
            for feature in self.features
            for bin_ in feature.bins
            if bin_.target is not None and bin_.rows >= MIN_ROWS
        ]
        return min([self.mean, *means]), max([self.mean, *means])

    def slices(self) -> list[tuple[str, Bin]]:
        """Return the categories whose target differs most from that of all rows, with the name of their feature.

        Differences within two standard errors are left out.
        """
        found = [
            (feature.name, bin_)
            for feature in self.features
            if feature.kind != "number"
            for bin_ in feature.bins
            if bin_.target is not None
            and bin_.rows >= MIN_SLICE_ROWS
            and abs(bin_.target - self.mean) > 2 * self.deviation / bin_.rows**0.5
        ]
        return sorted(found, key=lambda item: -abs((item[1].target or 0) - self.mean))[:MAX_SLICES]


def read_profile(output: Path) -> Profile:
    """Profile the training split that Preprocess has written.

    Args:
        output: The folder with Preprocess's outputs, the baseline as Parquet.
    """
    schema = json.loads((output / "schema" / "schema.json").read_text(encoding="utf-8"))
    raw, encoded = (pq.read_table(output / folder) for folder in ("baseline", "train"))
    rows = len(raw)
    if rows > MAX_ROWS:
        sample = pa.array(np.linspace(0, rows - 1, MAX_ROWS).astype(np.int64))
        raw, encoded = raw.take(sample), encoded.take(sample)
    target = encoded[schema["target"]].to_numpy().astype(np.float64)
    classes = schema["classes"]
    outcomes = target[:, None] if classes is None else np.eye(len(classes))[target.astype(np.int64)]
    shown_class = None if classes is None else _shown_class(outcomes)
    shown = target if shown_class is None else outcomes[:, shown_class]
    features = [
        _profile(feature["name"], feature["type"], raw[feature["name"]].combine_chunks(), shown, outcomes)
        for feature in schema["features"]
    ]
    return Profile(
        rows=rows,
        target=schema["target"],
        target_bins=_number_bins(target, target)[1]
        if classes is None
        else [Bin(str(name), int(count), None) for name, count in zip(classes, outcomes.sum(axis=0), strict=True)],
        shown="mean" if shown_class is None else f"share of {classes[shown_class]}",
        mean=float(shown.mean()),
        deviation=float(shown.std()),
        is_share=classes is not None,
        features=sorted(features, key=lambda feature: -feature.strength),
    )


def _shown_class(outcomes: np.ndarray) -> int:
    """Return the class whose share the plots show: the positive one of two, else the most frequent one."""
    return 1 if outcomes.shape[1] == 2 else int(outcomes.sum(axis=0).argmax())


def _profile(name: str, kind: str, values: pa.Array, shown: np.ndarray, outcomes: np.ndarray) -> FeatureProfile:
    missing = values.null_count / max(len(values), 1)
    if pa.types.is_string(values.type) or kind != "number":
        texts = values.cast(pa.string())
        codes, bins = _category_bins(texts, shown)
        facts = f"most frequent: {bins[0].label} ({bins[0].rows / len(values):.0%})" if bins else ""
    else:
        numbers = values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        codes, bins = _number_bins(numbers, shown)
        present = numbers[~np.isnan(numbers)]
        low, median, high = (present.min(), np.median(present), present.max()) if len(present) else (np.nan,) * 3
        facts = f"{low:.5g} … {median:.5g} … {high:.5g}"
    return FeatureProfile(
        name, kind, missing, int(pc.count_distinct(values).as_py()), facts, bins, explained(codes, outcomes)
    )


def _category_bins(texts: pa.Array, shown: np.ndarray) -> tuple[np.ndarray, list[Bin]]:
    """Return a code for each row, -1 for a missing value, and the most frequent categories."""
    encoded = texts.dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    counts = np.bincount(codes[codes >= 0], minlength=len(encoded.dictionary))
    bins = [
        Bin(encoded.dictionary[code].as_py(), int(counts[code]), float(shown[codes == code].mean()))
        for code in np.argsort(-counts, kind="stable")[:MAX_CATEGORIES].tolist()
    ]
    return codes, bins


def _number_bins(numbers: np.ndarray, shown: np.ndarray) -> tuple[np.ndarray, list[Bin]]:
    """Return the quantile that each row is in, -1 for a missing value, and bins of equal width for a plot.

    The bins are those between the first and the last percentile: an outlier would put all rows into one bin. Rows
    beyond are in the outermost ones.
    """
    present = numbers[~np.isnan(numbers)]
    if not len(present):
        return np.full(len(numbers), -1), []
    quantile_count = int(np.clip(len(present) // ROWS_PER_QUANTILE, 2, MAX_QUANTILES))
    cuts = np.unique(np.quantile(present, np.linspace(0, 1, quantile_count + 1)[1:-1]))
    quantiles = np.where(np.isnan(numbers), -1, np.searchsorted(cuts, numbers, side="left"))
    low, high = np.quantile(present, [0.01, 0.99])
    distinct = np.unique(present)
    if len(distinct) <= BINS:
        edges = distinct
        places = np.searchsorted(distinct, numbers)
        labels = [f"{value:.5g}" for value in distinct]
    else:
        edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
        places = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, BINS - 1)
        labels = [f"{edges[place]:.4g} to {edges[place + 1]:.4g}" for place in range(BINS)]
    places = np.where(np.isnan(numbers), -1, places)
    bins = []
    for place, label in enumerate(labels):
        inside = shown[places == place]
        bins.append(Bin(label, len(inside), float(inside.mean()) if len(inside) else None))
    return quantiles, bins


def explained(codes: np.ndarray, outcomes: np.ndarray) -> float:
    """Compute the share of the outcomes' variance that the mean by code explains on the other half of the rows.

    Measured on the same rows, a column of IDs would explain all of it.

    Args:
        codes: A code for each row, -1 for a missing value, shape (n,).
        outcomes: The target, or a column of 0 and 1 for each class, shape (n, outcomes).
    """
    codes = codes + 1
    halves = np.random.default_rng(0).permutation(len(codes)) % 2
    errors = total = 0.0
    for half in (0, 1):
        known, other = halves == half, halves != half
        if not known.any() or not other.any():
            return 0.0
        mean = outcomes[known].mean(axis=0)
        counts = np.bincount(codes[known], minlength=codes.max() + 1)[:, None]
        sums = np.stack(
            [np.bincount(codes[known], column[known], minlength=codes.max() + 1) for column in outcomes.T], axis=1
        )
        # a code with few rows is drawn to the mean of all
        means = (sums + 5 * mean) / (counts + 5)
        errors += float(((outcomes[other] - means[codes[other]]) ** 2).sum())
        total += float(((outcomes[other] - mean) ** 2).sum())
    return max(0.0, 1 - errors / total) if total else 0.0
