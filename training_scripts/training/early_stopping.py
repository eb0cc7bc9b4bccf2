"""Early stopping on the validation split, with a state that a checkpoint can keep."""

from __future__ import annotations

import math

import lightgbm as lgb


class EarlyStopping:
    """Stops when the metric has not become better for some iterations, as a callback of LightGBM.

    lightgbm.early_stopping does the same, but forgets the best iteration when training goes on after an interruption.

    Attributes:
        best_iteration: The number of trees with the best value so far.
        best_value: That value, with its sign changed if higher is better.
    """

    def __init__(self, rounds: int, min_delta: float = 0.0) -> None:
        """Stop after ``rounds`` iterations without an improvement by more than ``min_delta``; 0 never stops."""
        self._rounds, self._min_delta = rounds, min_delta
        self.best_iteration = 0
        self.best_value = math.inf

    def __call__(self, environment: lgb.callback.CallbackEnv) -> None:
        """Note the value of an iteration, the first that is measured.

        Raises:
            lightgbm.EarlyStopException: It has not improved, or this was the last iteration.
        """
        results = environment.evaluation_result_list or []
        value = -results[0].metric_value if results[0].maximize else results[0].metric_value
        if value < self.best_value - self._min_delta:
            self.best_iteration, self.best_value = environment.iteration + 1, value
        is_last = environment.iteration + 1 == environment.end_iteration
        if self._rounds and (is_last or environment.iteration + 1 - self.best_iteration >= self._rounds):
            raise lgb.EarlyStopException(self.best_iteration - 1, results)
