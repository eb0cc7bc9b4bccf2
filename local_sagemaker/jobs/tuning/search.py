"""Which hyperparameters a tuning job tries next: Random, Grid and Bayesian search over the ranges of its configuration.

Random and Bayesian search are optuna's: independent draws, and a tree-structured Parzen estimator (Bergstra et al.,
"Algorithms for Hyper-Parameter Optimization", 2011) where the service has Gaussian processes.
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


STRATEGIES = ("Bayesian", "Random", "Grid")
# ScalingType Auto of a positive range that spans more than this is Logarithmic; the service does not say how it decides
WIDE_RANGE = 1000
# the largest up to which floating point numbers, in which is searched, are exact
LARGEST_INTEGER = 2**53


class SearchError(ValueError):
    """A configuration that cannot be searched; the message names the member and why."""


@dataclass(frozen=True)
class NumberRange:
    """An IntegerParameterRange or ContinuousParameterRange. scaling: Linear, Logarithmic or ReverseLogarithmic."""

    low: float
    high: float
    scaling: str
    whole: bool

    def distribution(self) -> BaseDistribution:
        from optuna.distributions import FloatDistribution, IntDistribution

        if self.whole:
            return IntDistribution(int(self.low), int(self.high), log=self.scaling == "Logarithmic")
        low, high = sorted((self._searched(self.low), self._searched(self.high)))
        return FloatDistribution(low, high, log=self.scaling != "Linear")

    def text(self, drawn: Any) -> str:
        """The hyperparameter for a drawn value."""
        return str(drawn) if self.whole else str(min(max(self._searched(drawn), self.low), self.high))

    def drawn(self, text: str) -> float | None:
        """What would have had to be drawn for this hyperparameter, None where that lies outside of the range."""
        try:
            value = int(text) if self.whole else float(text)
        except ValueError:
            return None
        return self._searched(value) if self.low <= value <= self.high else None

    def _searched(self, value: float) -> float:
        # ReverseLogarithmic is Logarithmic in the distance from 1
        return 1 - value if self.scaling == "ReverseLogarithmic" else value


@dataclass(frozen=True)
class Choice:
    """A CategoricalParameterRange."""

    values: tuple[str, ...]

    def distribution(self) -> BaseDistribution:
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution(self.values)

    def text(self, drawn: Any) -> str:
        return str(drawn)

    def drawn(self, text: str) -> str | None:
        return text if text in self.values else None


Ranges = Mapping[str, NumberRange | Choice]


class Search(ABC):
    """Hands out hyperparameters, as texts by name, and is told what came of them."""

    @abstractmethod
    def ask(self) -> dict[str, str] | None:
        """The next hyperparameters, None where there are no more."""

    def tell(self, hyperparameters: Mapping[str, str], value: float | None) -> None:  # noqa: B027 - not all learn
        """Take note of the objective's value, None for a job that had none."""


def make_search(config: Record, ranges: Record, earlier: Sequence[tuple[Mapping[str, str], float]] = ()) -> Search:
    """The search of a HyperParameterTuningJobConfig.

    ranges: ParameterRanges. earlier: hyperparameters and objectives of earlier tuning jobs (WarmStartConfig), of which
    those within the ranges count. Raises SearchError.
    """
    parsed = parse_ranges(ranges)
    strategy = config["Strategy"]
    if strategy not in STRATEGIES:
        raise SearchError(f"Strategy {strategy} is not supported on this machine; use {', '.join(STRATEGIES)}")
    if strategy == "Grid":
        if earlier:
            raise SearchError("WarmStartConfig: Strategy Grid learns nothing from earlier tuning jobs")
        return _Grid(parsed)
    maximize = config.get("HyperParameterTuningJobObjective", {}).get("Type") == "Maximize"
    jobs = config["ResourceLimits"].get("MaxNumberOfTrainingJobs", 0)
    return _Sampled(parsed, strategy == "Bayesian", maximize, config.get("RandomSeed"), jobs, earlier)


def parse_ranges(ranges: Record) -> dict[str, NumberRange | Choice]:
    """Read ParameterRanges. Raises SearchError."""
    if ranges.get("AutoParameters"):
        raise SearchError("ParameterRanges: AutoParameters are not supported on this machine; give ranges")
    parsed: dict[str, NumberRange | Choice] = {}
    for member, whole in (("IntegerParameterRanges", True), ("ContinuousParameterRanges", False)):
        for item in ranges.get(member, []):
            _add(parsed, item["Name"], _number_range(item, whole))
    for item in ranges.get("CategoricalParameterRanges", []):
        _add(parsed, item["Name"], Choice(tuple(dict.fromkeys(item["Values"]))))
    if not parsed:
        raise SearchError("ParameterRanges: there is no range to search")
    return parsed


def _add(ranges: dict[str, NumberRange | Choice], name: str, added: NumberRange | Choice) -> None:
    if name in ranges:
        raise SearchError(f"ParameterRanges: there are two ranges for {name!r}")
    ranges[name] = added


def _number_range(item: Record, whole: bool) -> NumberRange:
    name, scaling = item["Name"], item.get("ScalingType", "Auto")
    try:
        low, high = (int(item[end]) if whole else float(item[end]) for end in ("MinValue", "MaxValue"))
    except ValueError as error:
        what = "integers" if whole else "numbers"
        raise SearchError(f"ParameterRanges: MinValue and MaxValue of {name!r} must be {what}: {error}") from None
    if whole and max(abs(low), abs(high)) > LARGEST_INTEGER:
        raise SearchError(f"ParameterRanges: {name!r} goes beyond {LARGEST_INTEGER}")
    if not low <= high or not math.isfinite(high - low):
        raise SearchError(f"ParameterRanges: MinValue {low} of {name!r} must not exceed its MaxValue {high}")
    if scaling == "Auto":
        scaling = "Logarithmic" if low > 0 and high / low > WIDE_RANGE else "Linear"
    if scaling == "Logarithmic" and low <= 0:
        raise SearchError(f"ParameterRanges: {name!r} is Logarithmic, so its MinValue {low} must be above 0")
    if scaling == "ReverseLogarithmic" and (whole or low < 0 or high >= 1):
        raise SearchError(f"ParameterRanges: {name!r} is ReverseLogarithmic, which takes fractions from 0 to below 1")
    return NumberRange(low, high, scaling, whole)


class _Grid(Search):
    """Every combination of categories, once."""

    def __init__(self, ranges: Ranges) -> None:
        numbers = [name for name, item in ranges.items() if not isinstance(item, Choice)]
        if numbers:
            raise SearchError(f"Strategy Grid takes CategoricalParameterRanges only; {', '.join(numbers)} is none")
        choices = [item.values for item in ranges.values() if isinstance(item, Choice)]
        self._left = (dict(zip(ranges, values, strict=True)) for values in itertools.product(*choices))

    def ask(self) -> dict[str, str] | None:
        return next(self._left, None)


class _Sampled(Search):
    """Draws from the ranges: independently of what is known, or informed by it."""

    def __init__(
        self,
        ranges: Ranges,
        informed: bool,
        maximize: bool,
        seed: int | None,
        jobs: int,
        earlier: Iterable[tuple[Mapping[str, str], float]],
    ) -> None:
        # read when it is needed: it takes as long to import as all of the server
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        seed = None if seed is None else seed % 2**32
        self._optuna = optuna
        self._ranges = ranges
        self._distributions = {name: item.distribution() for name, item in ranges.items()}
        # a few jobs are to be informed ones, however few there are in all; jobs under way are taken for bad ones, so
        # that those that run at once are not all the same
        sampler = (
            optuna.samplers.TPESampler(seed=seed, n_startup_trials=min(10, max(2, jobs // 3)), constant_liar=True)
            if informed
            else optuna.samplers.RandomSampler(seed=seed)
        )
        self._study = optuna.create_study(sampler=sampler, direction="maximize" if maximize else "minimize")
        self._trials: list[tuple[dict[str, str], Any]] = []
        for hyperparameters, value in earlier:
            self._learn(hyperparameters, value)

    def ask(self) -> dict[str, str]:
        trial = self._study.ask(self._distributions)
        hyperparameters = {name: item.text(trial.params[name]) for name, item in self._ranges.items()}
        self._trials.append((hyperparameters, trial))
        return hyperparameters

    def tell(self, hyperparameters: Mapping[str, str], value: float | None) -> None:
        for index, (asked, trial) in enumerate(self._trials):
            if asked == hyperparameters:
                del self._trials[index]
                failed = self._optuna.trial.TrialState.FAIL if value is None else None
                self._study.tell(trial, value, state=failed)
                return

    def _learn(self, hyperparameters: Mapping[str, str], value: float) -> None:
        drawn = {name: item.drawn(hyperparameters.get(name, "")) for name, item in self._ranges.items()}
        if all(item is not None for item in drawn.values()):
            trial = self._optuna.trial.create_trial(params=drawn, distributions=self._distributions, value=value)
            self._study.add_trial(trial)
