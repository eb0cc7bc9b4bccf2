"""Checkpoints: a training that SageMaker interrupts, as it may on spot instances, goes on where it was.

SageMaker keeps the folder in S3 (CheckpointConfig), and fills it again when it restarts the job. The S3 location is the
same for all executions of a pipeline, since the step cache compares it, so a checkpoint is named by what it belongs to.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import cast

import lightgbm as lgb

from training.communicator import Communicator
from training.curve import TrainingCurve
from training.early_stopping import EarlyStopping

# Seconds between checkpoints. By rounds, writing them would take a growing part of the time, as models grow.
PERIOD = 30
# options that do not change the model
PLACES = ("train", "validation", "schema", "model_dir", "output_data_dir", "checkpoint_dir", "inference_code")


class Checkpoints:
    """Writes and reads the state of a training, as a callback of LightGBM.

    Attributes:
        model: The booster of an interrupted training, None at first.
    """

    def __init__(self, path: Path, stopping: EarlyStopping, curve: TrainingCurve, communicator: Communicator) -> None:
        """Read the first host's checkpoint, if there is one, into ``stopping`` and ``curve``."""
        self._path, self._stopping, self._curve = path, stopping, curve
        self._written = time.monotonic()
        self.model: lgb.Booster | None = None
        # of the first host alone: SageMaker may have copied another version to another host
        own = path.read_bytes() if communicator.rank == 0 and path.is_file() else b""
        content = communicator.all_gather(own)[0]
        # an empty file belongs to a training that has ended
        if content:
            try:
                state = json.loads(content)
            except ValueError:
                print(f"{path} is damaged; training starts from the first iteration")
                return
            self.model = lgb.Booster(model_str=state["model"])
            stopping.best_iteration, stopping.best_value = state["best_iteration"], state["best_value"]
            curve.restore(state["curve"])
            print(f"going on after iteration {self.model.current_iteration()}, from {path}")

    def __call__(self, environment: lgb.callback.CallbackEnv) -> None:
        """Write a checkpoint if the last one is PERIOD seconds old."""
        if time.monotonic() - self._written >= PERIOD:
            state = {
                "best_iteration": self._stopping.best_iteration,
                "best_value": self._stopping.best_value,
                "curve": self._curve.values,
                "model": cast(lgb.Booster, environment.model).model_to_string(num_iteration=-1),
            }
            self._write(json.dumps(state))

    def clear(self) -> None:
        """Empty the checkpoint of a training that has ended: SageMaker deletes nothing from S3."""
        if self._path.exists():
            self._write("")

    def _write(self, content: str) -> None:
        aside = self._path.with_suffix(".tmp")
        aside.write_text(content, encoding="utf-8")
        aside.replace(self._path)
        self._written = time.monotonic()


def checkpoint_path(options: argparse.Namespace, communicator: Communicator) -> Path:
    """Name the checkpoint of a training by its hyperparameters and the data of all hosts."""
    given = {name: value for name, value in vars(options).items() if name not in PLACES}
    data = hashlib.sha256()
    for path in files_of(options.schema, options.train, options.validation):
        with path.open("rb") as file:
            data.update(hashlib.file_digest(file, "sha256").digest())
    digest = hashlib.sha256(json.dumps(given, sort_keys=True).encode())
    digest.update(b"".join(communicator.all_gather(data.digest())))
    return Path(options.checkpoint_dir) / f"checkpoint-{digest.hexdigest()[:16]}.json"


def files_of(*folders: Path) -> Iterable[Path]:
    """List the files of folders, in the order of their names. A host may have no files of a sharded channel."""
    for folder in filter(Path.is_dir, folders):
        yield from sorted(path for path in folder.iterdir() if path.is_file())
