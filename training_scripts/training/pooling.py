"""What is measured on the rows of all hosts, each of which holds a share of them."""

from __future__ import annotations

import hashlib
from typing import cast

import lightgbm as lgb
import numpy as np
import pyarrow as pa

from training.communicator import Communicator
from training.data import Split
from training.errors import TrainingError
from training.iteration_metrics import WHOLE_SPLIT_METRICS


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


def pool(split: Split, total: int, rows: int, communicator: Communicator, by_group: bool = False) -> Split:
    """Select at most so many rows of all hosts, of each in proportion to its share: all rows if they are not more.

    Args:
        split: The rows of this host.
        total: The number of rows of all hosts.
        rows: The largest number of rows.
        communicator: The connections to the other hosts.
        by_group: Whether to select whole groups.

    Returns:
        The same rows on all hosts.
    """
    share = rows if total <= rows else rows * len(split) // total
    own = (split.sample_groups(share) if by_group else split.sample(share)).to_table("")
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, own.schema) as stream:
        stream.write_table(own)
    messages = communicator.all_gather(sink.getvalue().to_pybytes())
    tables = [pa.ipc.open_stream(message).read_all() for message in messages]
    return Split.of(pa.concat_tables(tables, promote_options="permissive"), "")


def gather_rows(own: np.ndarray, communicator: Communicator) -> np.ndarray:
    """Return the rows of all hosts' arrays of doubles, by rank, on the first host, and none on the others."""
    messages = communicator.gather(np.ascontiguousarray(own, dtype=np.float64).tobytes())
    return np.frombuffer(b"".join(messages)).reshape(-1, *own.shape[1:])


def gather_answers(own: Split, communicator: Communicator) -> Split:
    """Return target and weights of all hosts' rows, by rank, on the first host; a single host's rows as they are."""
    if communicator.is_alone:
        return own
    weight = None if own.weight is None else gather_rows(own.weight, communicator)
    return Split(own.features.slice(0, 0), gather_rows(own.target, communicator), weight)


def check_equal(booster: lgb.Booster, communicator: Communicator) -> None:
    """Check that all hosts have the same trees. Raises TrainingError."""
    # the parameters after the trees name the port of the host
    trees, _, _ = booster.model_to_string().partition("end of trees")
    if len(set(communicator.all_gather(hashlib.sha256(trees.encode()).digest()))) > 1:
        raise TrainingError(
            "the hosts have trained different models; use one instance (TrainingInstanceCount), and keep the logs of "
            "all hosts for a report"
        )


class PooledMetric:
    """Makes the metric on this host's validation rows that on all hosts' rows, as a callback of LightGBM.

    LightGBM measures each host's rows alone, so that the hosts would not agree when to stop.
    """

    def __init__(self, name: str, weights: np.ndarray, communicator: Communicator) -> None:
        """Weigh the shares.

        Args:
            name: The metric: a mean over rows, or the root of one.
            weights: The weights of this host's validation rows, shape (n,); if there are none, it measures nothing.
            communicator: The connections to the other hosts.

        Raises:
            TrainingError: The metric of all rows does not follow from those of the shares.
        """
        if name in WHOLE_SPLIT_METRICS:
            raise TrainingError(
                f"early_stopping_metric {name} is not a mean over rows, so that hosts with a share of them each cannot "
                "measure it; choose another metric, or use one instance (TrainingInstanceCount)"
            )
        self._name, self._communicator = name, communicator
        self._power = 2 if name == "rmse" else 1
        self._weight = float(weights.sum())

    def __call__(self, environment: lgb.callback.CallbackEnv) -> None:
        """Replace the value of an iteration, for the callbacks that follow."""
        results = cast(list[lgb.EvalResult], environment.evaluation_result_list)
        own = results[0].metric_value if results else 0.0
        total, weight = self._communicator.sum(np.array([own**self._power * self._weight, self._weight]))
        results[:] = [lgb.EvalResult("validation", self._name, (total / weight) ** (1 / self._power), False)]
