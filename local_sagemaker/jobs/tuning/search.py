"""The strategies of tuning jobs: Bayesian, Random, Grid and Hyperband.

All but Grid use optuna. For Bayesian search the service uses Gaussian processes, optuna a tree-structured Parzen
estimator (Bergstra et al., "Algorithms for Hyper-Parameter Optimization", 2011). Hyperband (Li et al., 2018) samples at
random, and stops all but the best third of the jobs of a bracket after each multiple of 3 of MinResource.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local_sagemaker.jobs.tuning.ranges import Choice, Ranges, SearchError, parse_ranges
from local_sagemaker.storage.records import Record

HYPERBAND_REDUCTION = 3
# keys of StaticHyperParameters from which the service infers the MaxResource of Hyperband
EPOCHS = ("epochs", "numepochs", "n-epochs", "n_epochs", "num_epochs")


@dataclass(frozen=True)
class Suggestion:
    """Hyperparameters to try.

    Attributes:
        number: How many suggestions there were before.
        hyperparameters: The tuned hyperparameters, as texts by name.
    """

    number: int
    hyperparameters: Mapping[str, str]


class Search(ABC):
    """A search with an ask-and-tell interface."""

    @abstractmethod
    def ask(self) -> Suggestion | None:
        """Return what to try next, or None if all has been tried."""

    def is_ready(self) -> bool:
        """Return whether `ask` may be called now; otherwise it depends on a result that is not there yet."""
        return True

    def tell(self, number: int, value: float | None) -> None:  # noqa: B027
        """Report the objective of a suggestion's training job; None if it has none."""

    def should_stop(self, number: int, value: float) -> bool:
        """Report an objective while a suggestion's training job runs; return whether to stop the job."""
        return False


def make_search(
    config: Record,
    ranges: Record,
    earlier: Sequence[tuple[Mapping[str, str], float]] = (),
    static: Mapping[str, str] | None = None,
) -> Search:
    """Create the search of a HyperParameterTuningJobConfig.

    Args:
        config: The HyperParameterTuningJobConfig.
        ranges: The ParameterRanges.
        earlier: Hyperparameters and objectives of earlier tuning jobs (WarmStartConfig); those outside of the ranges
            are ignored.
        static: The StaticHyperParameters.

    Raises:
        SearchError: The configuration is invalid or not supported.
    """
    parsed = parse_ranges(ranges)
    strategy, seed = config["Strategy"], config.get("RandomSeed")
    if strategy == "Grid":
        if earlier:
            raise SearchError("WarmStartConfig is not supported with Strategy Grid")
        return _Grid(parsed)
    # imported here because the import takes as long as that of the whole server
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    seed_of_sampler = None if seed is None else seed % 2**32
    maximize = config.get("HyperParameterTuningJobObjective", {}).get("Type") == "Maximize"
    if strategy == "Bayesian":
        jobs = config["ResourceLimits"].get("MaxNumberOfTrainingJobs", 0)
        # few startup trials if there are few jobs, so that some use the estimator; constant_liar assumes bad objectives
        # for running jobs, so that concurrent jobs try different hyperparameters
        sampler = optuna.samplers.TPESampler(
            seed=seed_of_sampler, n_startup_trials=min(10, max(2, jobs // 3)), constant_liar=True
        )
        search = _Sampler(parsed, sampler, maximize, earlier)
        return search if seed is None else _InOrder(search, config["ResourceLimits"].get("MaxParallelTrainingJobs", 1))
    hyperband = _hyperband_resources(config, static or {}) if strategy == "Hyperband" else None
    return _Sampler(parsed, optuna.samplers.RandomSampler(seed=seed_of_sampler), maximize, earlier, hyperband)


def _hyperband_resources(config: Record, static: Mapping[str, str]) -> tuple[int, int]:
    """Return MinResource and MaxResource."""
    if config.get("TrainingJobEarlyStoppingType") == "Auto":
        raise SearchError("TrainingJobEarlyStoppingType must be Off with Strategy Hyperband")
    resources = config.get("StrategyConfig", {}).get("HyperbandStrategyConfig", {})
    inferred = next((int(static[key]) for key in EPOCHS if static.get(key, "").isdigit()), None)
    smallest, largest = resources.get("MinResource", 1), resources.get("MaxResource", inferred)
    if largest is None:
        raise SearchError(
            "Strategy Hyperband needs MaxResource in HyperbandStrategyConfig, or one of the StaticHyperParameters "
            f"{', '.join(EPOCHS)}"
        )
    if smallest > largest:
        raise SearchError(f"HyperbandStrategyConfig: MinResource {smallest} must not exceed MaxResource {largest}")
    return smallest, largest


class _Grid(Search):
    """Tries every combination of categorical values once."""

    def __init__(self, ranges: Ranges) -> None:
        numbers = [name for name, item in ranges.items() if not isinstance(item, Choice)]
        if numbers:
            raise SearchError(
                f"Strategy Grid supports CategoricalParameterRanges only; change the ranges of {', '.join(numbers)}"
            )
        choices = [item.values for item in ranges.values() if isinstance(item, Choice)]
        self._remaining = (
            Suggestion(number, dict(zip(ranges, values, strict=True)))
            for number, values in enumerate(itertools.product(*choices))
        )

    def ask(self) -> Suggestion | None:
        return next(self._remaining, None)


class _Sampler(Search):
    """Samples from the ranges with optuna."""

    def __init__(
        self,
        ranges: Ranges,
        sampler: Any,
        maximize: bool,
        earlier: Iterable[tuple[Mapping[str, str], float]],
        hyperband: tuple[int, int] | None = None,
    ) -> None:
        import optuna

        self._optuna = optuna
        self._ranges = ranges
        self._distributions = {name: item.distribution() for name, item in ranges.items()}
        self._study = optuna.create_study(
            sampler=sampler,
            pruner=optuna.pruners.HyperbandPruner(*hyperband, HYPERBAND_REDUCTION)
            if hyperband
            else optuna.pruners.NopPruner(),
            direction="maximize" if maximize else "minimize",
            # Hyperband draws the bracket of a trial from the name, which is random by default
            study_name="tuning",
        )
        self._largest_resource = hyperband[1] if hyperband else None
        self._trials: list[Any] = []
        self._reports: dict[int, int] = {}
        for hyperparameters, value in earlier:
            self._add_earlier(hyperparameters, value)

    def ask(self) -> Suggestion:
        trial = self._study.ask(self._distributions)
        self._trials.append(trial)
        hyperparameters = {name: item.to_text(trial.params[name]) for name, item in self._ranges.items()}
        return Suggestion(len(self._trials) - 1, hyperparameters)

    def tell(self, number: int, value: float | None) -> None:
        failed = self._optuna.trial.TrialState.FAIL if value is None else None
        self._study.tell(self._trials[number], value, state=failed)

    def should_stop(self, number: int, value: float) -> bool:
        if self._largest_resource is None:
            return False
        reports = self._reports[number] = self._reports.get(number, 0) + 1
        self._trials[number].report(value, reports)
        return reports >= self._largest_resource or bool(self._trials[number].should_prune())

    def _add_earlier(self, hyperparameters: Mapping[str, str], value: float) -> None:
        params = {name: item.to_sample(hyperparameters.get(name, "")) for name, item in self._ranges.items()}
        if all(sample is not None for sample in params.values()):
            trial = self._optuna.trial.create_trial(params=params, distributions=self._distributions, value=value)
            self._study.add_trial(trial)


class _InOrder(Search):
    """Makes the suggestions of a search repeatable, whichever of the jobs that run at the same time ends first.

    Suggestion n depends on the results of suggestions 0 to n - parallel, in this order, and on no others. A job may
    have to wait for one that started long before it, and the number of CPUs changes nothing.
    """

    def __init__(self, search: Search, parallel: int) -> None:
        self._search = search
        self._parallel = parallel
        self._asked = 0
        self._told = 0
        self._results: dict[int, float | None] = {}

    def ask(self) -> Suggestion | None:
        for number in self._needed():
            self._search.tell(number, self._results.pop(number))
        self._told = max(self._told, self._asked - self._parallel + 1)
        self._asked += 1
        return self._search.ask()

    def is_ready(self) -> bool:
        return all(number in self._results for number in self._needed())

    def tell(self, number: int, value: float | None) -> None:
        self._results[number] = value

    def _needed(self) -> range:
        """Return the suggestions whose results the next one depends on, and that the search has not been told."""
        return range(self._told, self._asked - self._parallel + 1)
