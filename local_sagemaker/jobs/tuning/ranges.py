"""The parameter ranges of a tuning job, as the API has them and as optuna has them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local_sagemaker.storage.records import Record

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

# ScalingType Auto means Logarithmic for a positive range with a greater ratio of its bounds; AWS documents no rule
WIDE_RANGE = 1000
# the search uses floating point numbers, which represent integers exactly up to this one
LARGEST_INTEGER = 2**53


class SearchError(ValueError):
    """An invalid or unsupported search configuration; the message names the member and the reason."""


@dataclass(frozen=True)
class NumberRange:
    """An IntegerParameterRange or ContinuousParameterRange.

    Attributes:
        scaling: Linear, Logarithmic or ReverseLogarithmic.
        integer: Whether the values are integers.
    """

    low: float
    high: float
    scaling: str
    integer: bool

    def distribution(self) -> BaseDistribution:
        from optuna.distributions import FloatDistribution, IntDistribution

        if self.integer:
            return IntDistribution(int(self.low), int(self.high), log=self.scaling == "Logarithmic")
        low, high = sorted((self._transform(self.low), self._transform(self.high)))
        return FloatDistribution(low, high, log=self.scaling != "Linear")

    def to_text(self, sample: Any) -> str:
        """Return the hyperparameter for a sampled value."""
        return str(sample) if self.integer else str(min(max(self._transform(sample), self.low), self.high))

    def to_sample(self, text: str) -> float | None:
        """Return the sampled value for a hyperparameter, or None if it is outside of the range."""
        try:
            value = int(text) if self.integer else float(text)
        except ValueError:
            return None
        return self._transform(value) if self.low <= value <= self.high else None

    def _transform(self, value: float) -> float:
        # ReverseLogarithmic is logarithmic in 1 - value; the transformation is its own inverse
        return 1 - value if self.scaling == "ReverseLogarithmic" else value


@dataclass(frozen=True)
class Choice:
    """A CategoricalParameterRange."""

    values: tuple[str, ...]

    def distribution(self) -> BaseDistribution:
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution(self.values)

    def to_text(self, sample: Any) -> str:
        return str(sample)

    def to_sample(self, text: str) -> str | None:
        return text if text in self.values else None


Ranges = Mapping[str, NumberRange | Choice]


def parse_ranges(ranges: Record) -> dict[str, NumberRange | Choice]:
    """Parse ParameterRanges.

    Raises:
        SearchError: A range is invalid or not supported.
    """
    parsed: dict[str, NumberRange | Choice] = {}
    for member, integer in (("IntegerParameterRanges", True), ("ContinuousParameterRanges", False)):
        for item in ranges.get(member, []):
            _add(parsed, item["Name"], _number_range(item, integer))
    for item in ranges.get("CategoricalParameterRanges", []):
        _add(parsed, item["Name"], Choice(tuple(dict.fromkeys(item["Values"]))))
    if not parsed:
        raise SearchError("ParameterRanges must contain at least one range")
    return parsed


def _add(ranges: dict[str, NumberRange | Choice], name: str, added: NumberRange | Choice) -> None:
    if name in ranges:
        raise SearchError(f"ParameterRanges: {name!r} has two ranges")
    ranges[name] = added


def _number_range(item: Record, integer: bool) -> NumberRange:
    name, scaling = item["Name"], item.get("ScalingType", "Auto")
    try:
        low, high = (int(item[bound]) if integer else float(item[bound]) for bound in ("MinValue", "MaxValue"))
    except ValueError as error:
        expected = "integers" if integer else "numbers"
        raise SearchError(f"ParameterRanges: MinValue and MaxValue of {name!r} must be {expected}: {error}") from None
    if integer and max(abs(low), abs(high)) > LARGEST_INTEGER:
        raise SearchError(f"ParameterRanges: the bounds of {name!r} must not exceed {LARGEST_INTEGER}")
    if not low <= high or not math.isfinite(high - low):
        raise SearchError(f"ParameterRanges: MinValue {low} of {name!r} must not exceed its MaxValue {high}")
    if scaling == "Auto":
        scaling = "Logarithmic" if low > 0 and high / low > WIDE_RANGE else "Linear"
    if scaling == "Logarithmic" and low <= 0:
        raise SearchError(f"ParameterRanges: {name!r} is Logarithmic, so its MinValue {low} must be greater than 0")
    if scaling == "ReverseLogarithmic" and (integer or low < 0 or high >= 1):
        raise SearchError(
            f"ParameterRanges: {name!r} is ReverseLogarithmic, which requires continuous values >= 0 and < 1"
        )
    return NumberRange(low, high, scaling, integer)
