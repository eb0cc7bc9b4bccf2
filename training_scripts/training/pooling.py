"""What is measured on the rows of all hosts, each of which holds a share of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, cast

import lightgbm as lgb
import numpy as np
import pyarrow as pa

from training.communicator import Communicator
from training.data import Split
from training.errors import TrainingError
from training.metrics import ITERATION_METRICS


def count_rows(train: Split, validation: Split, communicator: Communicator) -> tuple[int, int]:
    """Count the training and the validation rows of all hosts, from the share of this one.

    Raises:
        TrainingError: A host has no training rows, or none of them has validation rows. All hosts raise it.
    """
    rows = np.array([len(train), len(validation)], dtype=np.int64)
    by_host = np.array([np.frombuffer(counts, np.int64) for counts in communicator.all_gather(rows.tobytes())])
    for host, (train_rows, _) in enumerate(by_host, start=1):
        if not train_rows:
            raise TrainingError(
                f"the share of host {host} of {len(by_host)} has no training rows; use fewer instances "
                "(TrainingInstanceCount): at most the number of rows, and of files where the train channel is "
                "ShardedByS3Key"
            )
    if not by_host[:, 1].any():
        raise TrainingError("the validation channel has no rows; expected the validation split of Preprocess")
    train_rows, validation_rows = by_host.sum(axis=0).tolist()
    return train_rows, validation_rows


def pool(split: Split, total: int, rows: int, communicator: Communicator) -> Split:
    """Select at most so many rows of all hosts, of each in proportion to its share: all rows if they are not more.

    Args:
        split: The rows of this host.
        total: The number of rows of all hosts.
        rows: The largest number of rows.
        communicator: The connections to the other hosts.

    Returns:
        The same rows on all hosts.
    """
    own = split.sample(rows if total <= rows else rows * len(split) // total)
    table = own.features.append_column("", pa.array(own.target))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    messages = communicator.all_gather(sink.getvalue().to_pybytes())
    pooled = pa.concat_tables(
        [pa.ipc.open_stream(message).read_all() for message in messages], promote_options="permissive"
    )
    target = pooled.num_columns - 1
    return Split(pooled.remove_column(target), pooled[target].to_numpy())


def gather_rows(own: np.ndarray, communicator: Communicator) -> np.ndarray:
    """Return the rows of all hosts' arrays of doubles, by rank, on the first host, and none on the others."""
    messages = communicator.gather(np.ascontiguousarray(own, dtype=np.float64).tobytes())
    return np.frombuffer(b"".join(messages)).reshape(-1, *own.shape[1:])


def check_equal(booster: lgb.Booster, communicator: Communicator) -> None:
    """Check that all hosts have the same trees. Raises TrainingError."""
    # the parameters after the trees name the port of the host
    trees, _, _ = booster.model_to_string().partition("end of trees")
    if len(set(communicator.all_gather(hashlib.sha256(trees.encode()).digest()))) > 1:
        raise TrainingError(
            "the hosts have trained different models; use one instance (TrainingInstanceCount), and keep the logs of "
            "all hosts for a report"
        )


class PooledLoss:
    """Makes the loss on this host's validation rows that on all hosts' rows, as a callback of LightGBM.

    LightGBM measures each host's rows alone, so that the hosts would not agree when to stop.
    """

    def __init__(
        self, validation: Split, weights: np.ndarray | None, schema: Mapping[str, Any], communicator: Communicator
    ) -> None:
        """Weigh the shares.

        Args:
            validation: This host's validation rows; if there are none, it measures no loss.
            weights: The weight of each class, shape (classes,); None to weight all rows alike.
            schema: The content of schema.json.
            communicator: The connections to the other hosts.
        """
        self._metric, self._communicator = next(iter(ITERATION_METRICS[schema["problem_type"]])), communicator
        # all of them are means over rows, but for this root of one
        self._power = 2 if self._metric == "rmse" else 1
        rows = np.ones(len(validation)) if weights is None else weights[validation.target.astype(np.int64)]
        self._weight = float(rows.sum())

    def __call__(self, environment: lgb.callback.CallbackEnv) -> None:
        """Replace the loss of an iteration, for the callbacks that follow."""
        results = cast(list[lgb.EvalResult], environment.evaluation_result_list)
        own = results[0].metric_value if results else 0.0
        total, weight = self._communicator.sum(np.array([own**self._power * self._weight, self._weight]))
        results[:] = [lgb.EvalResult("validation", self._metric, (total / weight) ** (1 / self._power), False)]
