"""The formulas of the metrics, each for one table of counts or for many of them at once.

A table has the shape (..., subgroups + 1, 2, 2, 2): records by subgroup, whether their facet is sensitive, whether
their label is positive, and whether their predicted label is. The last subgroup is that of records without one. The
metrics are those of Clarify's library (smclarify), with its signs; a is the other group, d the sensitive one. A ratio
of 0 to 0 counts as 0 there; if it does in both groups, their difference is not a number here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

OTHER, SENSITIVE = 0, 1


@dataclass(frozen=True)
class Confusion:
    """Records of each group by label and predicted label, shape (..., 2): the other group, the sensitive one."""

    tn: Array
    fp: Array
    fn: Array
    tp: Array

    @classmethod
    def of(cls, table: Array) -> Confusion:
        total = table.sum(axis=-4)
        return cls(total[..., 0, 0], total[..., 0, 1], total[..., 1, 0], total[..., 1, 1])

    @property
    def records(self) -> Array:
        return self.tn + self.fp + self.fn + self.tp


@dataclass(frozen=True)
class RatioDifference:
    """A metric that is the difference of a ratio between the groups.

    Attributes:
        numerator: What the ratio is of.
        denominator: What the ratio is to.
        absent: What a group does not have if its ratio is 0 to 0.
        from_sensitive: Whether the other group's ratio is subtracted from the sensitive group's, not the reverse.
    """

    numerator: Callable[[Confusion], Array]
    denominator: Callable[[Confusion], Array]
    absent: str
    from_sensitive: bool = False

    def __call__(self, table: Array) -> Array:
        confusion = Confusion.of(table)
        ratio = divide(self.numerator(confusion), self.denominator(confusion))
        first, second = (SENSITIVE, OTHER) if self.from_sensitive else (OTHER, SENSITIVE)
        equal = ratio[..., first] == ratio[..., second]
        difference = np.where(equal, 0.0, ratio[..., first] - ratio[..., second])
        return np.where(self.undefined(table).all(axis=-1), np.nan, difference)

    def undefined(self, table: Array) -> npt.NDArray[np.bool_]:
        """Return for each group whether its ratio is 0 to 0, shape (..., 2)."""
        confusion = Confusion.of(table)
        return np.asarray((self.numerator(confusion) == 0) & (self.denominator(confusion) == 0))


def divide(numerator: Array, denominator: Array) -> Array:
    """Divide as Clarify: 0 by 0 is 0, and any other number by 0 is infinite."""
    return np.where((numerator == 0) & (denominator == 0), 0.0, numerator / denominator)


def class_imbalance(table: Array) -> Array:
    other, sensitive = _groups(Confusion.of(table).records)
    return (other - sensitive) / (other + sensitive)


def disparate_impact(table: Array) -> Array:
    confusion = Confusion.of(table)
    other, sensitive = _groups((confusion.tp + confusion.fp) / confusion.records)
    return divide(sensitive, other)


def generalized_entropy(table: Array) -> Array:
    """Compute the generalized entropy, alpha = 2, of the benefit predicted - label + 1 over all records."""
    confusion = Confusion.of(table)
    worse, better, records = (of.sum(axis=-1) for of in (confusion.fn, confusion.fp, confusion.records))
    same = records - worse - better
    mean = (same + 2 * better) / records
    return np.asarray(((same + 4 * better) / mean**2 - records) / (2 * records))


def kullback_leibler(table: Array) -> Array:
    other, sensitive, shared = _label_shares(table)
    return _sum(shared, other * np.log(other / sensitive))


def jensen_shannon(table: Array) -> Array:
    other, sensitive, shared = _label_shares(table)
    middle = (other + sensitive) / 2
    return _sum(shared, other * np.log(other / middle) + sensitive * np.log(sensitive / middle)) / 2


def lp_norm(table: Array) -> Array:
    other, sensitive, shared = _label_shares(table)
    return np.sqrt(_sum(shared, (other - sensitive) ** 2))


def total_variation(table: Array) -> Array:
    other, sensitive, shared = _label_shares(table)
    return _sum(shared, np.abs(other - sensitive)) / 2


def kolmogorov_smirnov(table: Array) -> Array:
    other, sensitive, shared = _label_shares(table)
    largest = np.where(shared, np.abs(other - sensitive), -np.inf).max(axis=-1)
    return np.where(shared.any(axis=-1), largest, np.nan)


def disparity_in_labels(table: Array) -> Array:
    return _conditional_disparity(table.sum(axis=-1))


def disparity_in_predictions(table: Array) -> Array:
    return _conditional_disparity(table.sum(axis=-2))


FORMULAS: dict[str, Callable[[Array], Array]] = {
    "CDDL": disparity_in_labels,
    "CI": class_imbalance,
    "DPL": RatioDifference(lambda c: c.tp + c.fn, lambda c: c.records, "records"),
    "JS": jensen_shannon,
    "KL": kullback_leibler,
    "KS": kolmogorov_smirnov,
    "LP": lp_norm,
    "TVD": total_variation,
    "AD": RatioDifference(lambda c: c.tp + c.tn, lambda c: c.records, "records"),
    "CDDPL": disparity_in_predictions,
    "DAR": RatioDifference(lambda c: c.tp, lambda c: c.tp + c.fp, "positive predictions"),
    "DCA": RatioDifference(lambda c: c.tp + c.fn, lambda c: c.tp + c.fp, "positive labels and positive predictions"),
    "DCR": RatioDifference(
        lambda c: c.tn + c.fp, lambda c: c.tn + c.fn, "negative labels and negative predictions", from_sensitive=True
    ),
    "DI": disparate_impact,
    "DPPL": RatioDifference(lambda c: c.tp + c.fp, lambda c: c.records, "records"),
    "DRR": RatioDifference(lambda c: c.tn, lambda c: c.tn + c.fn, "negative predictions", from_sensitive=True),
    "GE": generalized_entropy,
    "RD": RatioDifference(lambda c: c.tp, lambda c: c.tp + c.fn, "positive labels"),
    "SD": RatioDifference(lambda c: c.tn, lambda c: c.tn + c.fp, "negative labels", from_sensitive=True),
    "TE": RatioDifference(lambda c: c.fn, lambda c: c.fp, "wrong predictions", from_sensitive=True),
}

# It compares no groups.
OF_ALL_RECORDS = "GE"
# The share of the other group is its denominator.
RATIO_OF_SHARES = "DI"
DISTANCES = ("JS", "KL", "KS", "LP", "TVD")


def compute(name: str, table: Array) -> Array:
    """Compute a metric.

    Args:
        name: A key of FORMULAS.
        table: The counts, shape (..., subgroups + 1, 2, 2, 2).

    Returns:
        The metric, shape (...); NaN where it is not defined, such as where a group is empty.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.asarray(FORMULAS[name](table))
    if name == OF_ALL_RECORDS:
        return values
    return np.where((Confusion.of(table).records > 0).all(axis=-1), values, np.nan)


def smallest_base(name: str, table: Array) -> float:
    """Return the smallest number of records that a ratio in a metric is one of, of both groups.

    Args:
        name: A key of FORMULAS.
        table: The counts, shape (subgroups + 1, 2, 2, 2).
    """
    confusion, formula = Confusion.of(table), FORMULAS[name]
    if name == OF_ALL_RECORDS:
        return float(confusion.records.sum())
    bases = [confusion.records]
    if isinstance(formula, RatioDifference):
        bases.append(formula.denominator(confusion))
    if name == RATIO_OF_SHARES:
        bases.append((confusion.tp + confusion.fp)[..., [OTHER]])
    return float(min(base.min() for base in bases))


def shared_labels(table: Array) -> int:
    """Return how many of the two labels occur in both groups."""
    with np.errstate(invalid="ignore"):
        return int(_label_shares(table)[2].sum())


def one_sided_subgroups(table: Array, by_labels: bool) -> int:
    """Return the number of subgroups without positive or without negative labels (or predicted labels)."""
    by_outcome = table[:-1].sum(axis=-1 if by_labels else -2).sum(axis=-2)
    return int(np.count_nonzero((by_outcome == 0).any(axis=-1) & (by_outcome > 0).any(axis=-1)))


def _groups(values: Array) -> tuple[Array, Array]:
    return values[..., OTHER], values[..., SENSITIVE]


def _label_shares(table: Array) -> tuple[Array, Array, npt.NDArray[np.bool_]]:
    """Return the shares of labels in the other and the sensitive group, and which labels both have, shape (..., 2).

    Clarify's distances are those of the labels that both groups have.
    """
    labels = table.sum(axis=(-4, -1))
    shares = labels / labels.sum(axis=-1, keepdims=True)
    other, sensitive = shares[..., OTHER, :], shares[..., SENSITIVE, :]
    return other, sensitive, (other > 0) & (sensitive > 0)


def _sum(shared: npt.NDArray[np.bool_], terms: Array) -> Array:
    return np.where(shared.any(axis=-1), np.where(shared, terms, 0.0).sum(axis=-1), np.nan)


def _conditional_disparity(outcomes: Array) -> Array:
    """Compute the mean disparity of subgroups, weighted by their records.

    Args:
        outcomes: Records by subgroup, sensitivity and outcome, shape (..., subgroups + 1, 2, 2).
    """
    of_all = outcomes.sum(axis=(-3, -2))
    subgroups = outcomes[..., :-1, :, :]
    by_outcome = subgroups.sum(axis=-2)
    shares = divide(subgroups[..., SENSITIVE, :], by_outcome)
    records = by_outcome.sum(axis=-1)
    disparity = divide((records * (shares[..., 0] - shares[..., 1])).sum(axis=-1), records.sum(axis=-1))
    return np.where((of_all > 0).all(axis=-1), disparity, np.nan)
