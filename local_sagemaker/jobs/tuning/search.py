"""Random, Grid and Bayesian search over the parameter ranges of a tuning job.

Random and Bayesian search use optuna's samplers. For Bayesian search the service uses Gaussian processes, optuna a
tree-structured Parzen estimator (Bergstra et al., "Algorithms for Hyper-Parameter Optimization", 2011).
"""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
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


class Search(ABC):
    """A search with an ask-and-tell interface. Hyperparameters are texts by name."""

    @abstractmethod
    def ask(self) -> dict[str, str] | None:
        """Return the next hyperparameters to try, or None if all have been tried."""

    def tell(self, hyperparameters: Mapping[str, str], value: float | None) -> None:  # noqa: B027
        """Report the objective for hyperparameters that `ask` returned; None if the job has none."""


def make_search(config: Record, ranges: Record, earlier: Sequence[tuple[Mapping[str, str], float]] = ()) -> Search:
    """Create the search of a HyperParameterTuningJobConfig.

    Args:
        config: The HyperParameterTuningJobConfig.
        ranges: The ParameterRanges.
        earlier: Hyperparameters and objectives of earlier tuning jobs (WarmStartConfig); those outside of the ranges
            are ignored.

    Raises:
        SearchError: The configuration is invalid or not supported.
    """
    parsed = parse_ranges(ranges)
    strategy = config["Strategy"]
    if strategy == "Grid":
        if earlier:
            raise SearchError("WarmStartConfig is not supported with Strategy Grid")
        return _Grid(parsed)
    maximize = config.get("HyperParameterTuningJobObjective", {}).get("Type") == "Maximize"
    jobs = config["ResourceLimits"].get("MaxNumberOfTrainingJobs", 0)
    return _Sampler(parsed, strategy == "Bayesian", maximize, config.get("RandomSeed"), jobs, earlier)


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


class _Grid(Search):
    """Tries every combination of categorical values once."""

    def __init__(self, ranges: Ranges) -> None:
        numbers = [name for name, item in ranges.items() if not isinstance(item, Choice)]
        if numbers:
            raise SearchError(
                f"Strategy Grid supports CategoricalParameterRanges only; change the ranges of {', '.join(numbers)}"
            )
        choices = [item.values for item in ranges.values() if isinstance(item, Choice)]
        self._remaining = (dict(zip(ranges, values, strict=True)) for values in itertools.product(*choices))

    def ask(self) -> dict[str, str] | None:
        return next(self._remaining, None)


class _Sampler(Search):
    """Samples from the ranges with optuna: Bayesian, or at random."""

    def __init__(
        self,
        ranges: Ranges,
        bayesian: bool,
        maximize: bool,
        seed: int | None,
        jobs: int,
        earlier: Iterable[tuple[Mapping[str, str], float]],
    ) -> None:
        # imported here because the import takes as long as that of the whole server
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        seed = None if seed is None else seed % 2**32
        self._optuna = optuna
        self._ranges = ranges
        self._distributions = {name: item.distribution() for name, item in ranges.items()}
        # few startup trials if there are few jobs, so that some use the estimator; constant_liar assumes bad objectives
        # for running jobs, so that concurrent jobs try different hyperparameters
        sampler = (
            optuna.samplers.TPESampler(seed=seed, n_startup_trials=min(10, max(2, jobs // 3)), constant_liar=True)
            if bayesian
            else optuna.samplers.RandomSampler(seed=seed)
        )
        self._study = optuna.create_study(sampler=sampler, direction="maximize" if maximize else "minimize")
        self._trials: list[tuple[dict[str, str], Any]] = []
        for hyperparameters, value in earlier:
            self._add_earlier(hyperparameters, value)

    def ask(self) -> dict[str, str]:
        trial = self._study.ask(self._distributions)
        hyperparameters = {name: item.to_text(trial.params[name]) for name, item in self._ranges.items()}
        self._trials.append((hyperparameters, trial))
        return hyperparameters

    def tell(self, hyperparameters: Mapping[str, str], value: float | None) -> None:
        for index, (asked, trial) in enumerate(self._trials):
            if asked == hyperparameters:
                del self._trials[index]
                failed = self._optuna.trial.TrialState.FAIL if value is None else None
                self._study.tell(trial, value, state=failed)
                return

    def _add_earlier(self, hyperparameters: Mapping[str, str], value: float) -> None:
        params = {name: item.to_sample(hyperparameters.get(name, "")) for name, item in self._ranges.items()}
        if all(sample is not None for sample in params.values()):
            trial = self._optuna.trial.create_trial(params=params, distributions=self._distributions, value=value)
            self._study.add_trial(trial)
