"""Early stopping on the validation split, with a state that a checkpoint can keep."""

from __future__ import annotations

import math

import lightgbm as lgb


class EarlyStopping:
    """Stops when the loss has not become smaller for some iterations, as a callback of LightGBM.

    lightgbm.early_stopping does the same, but forgets the best iteration when training goes on after an interruption.

    Attributes:
        best_iteration: The number of trees with the smallest loss so far.
        best_loss: That loss.
    """

    def __init__(self, rounds: int) -> None:
        """Stop after ``rounds`` iterations without improvement; 0 never stops."""
        self._rounds = rounds
        self.best_iteration = 0
        self.best_loss = math.inf

    def __call__(self, environment: lgb.callback.CallbackEnv) -> None:
        """Note the loss of an iteration, the first value that is measured.

        Raises:
            lightgbm.EarlyStopException: The loss has not improved, or this was the last iteration.
        """
        results = environment.evaluation_result_list or []
        loss = results[0].metric_value
        if loss < self.best_loss:
            self.best_iteration, self.best_loss = environment.iteration + 1, loss
        is_last = environment.iteration + 1 == environment.end_iteration
        if self._rounds and (is_last or environment.iteration + 1 - self.best_iteration >= self._rounds):
            raise lgb.EarlyStopException(self.best_iteration - 1, results)
