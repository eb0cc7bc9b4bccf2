"""Exact SHAP values (TreeSHAP) of a model archive of this project, by the archive's own code.

The archive's `code/score_file.py` reads and encodes the records as the endpoint does, and LightGBM computes what each
column of the model adds to the raw score: for two classes the log-odds of the positive one. It runs in a process of its
own, so that the archive's modules and those of this process cannot take each other's place.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from analyzer import NoRecords, QualityError
from analyzer.attribution.local_shap import LocalShap

BINARY, MULTICLASS = "BinaryClassification", "MulticlassClassification"
# AWS's placeholder for the label of an output without a name.
SINGLE_OUTPUT = "label0"
PROGRAM = Path("code") / "score_file.py"
CONTRIBUTIONS = "contributions"


@dataclass(frozen=True)
class ScoredBatch:
    """Predictions for a batch of records.

    Attributes:
        predictions: The columns that score_file.py writes: prediction, probability, probability_CLASS.
        shap: The SHAP values; None where they were not asked for.
    """

    predictions: pa.RecordBatch
    shap: LocalShap | None


class ModelArchive:
    """An unpacked model archive; a context manager, which removes the folder.

    Attributes:
        schema: The content of its schema.json.
        features: The features that it reads from records, by name; others are ignored.
        outputs: The names of its raw scores: the classes if there are more than two, otherwise "label0".

    Raises:
        QualityError: The file is not a model archive of this project.
    """

    def __init__(self, archive: Path) -> None:
        self.path = archive
        self._temporary = tempfile.TemporaryDirectory(prefix="model-")
        self._folder = Path(self._temporary.name)
        try:
            with tarfile.open(archive) as members:
                members.extractall(self._folder, filter="data")
            self.schema: Mapping[str, Any] = json.loads((self._folder / "schema.json").read_text(encoding="utf-8"))
            self.features: Sequence[str] = [feature["name"] for feature in self.schema["features"]]
            self.problem_type: str = self.schema["problem_type"]
            self.classes: Sequence[Any] = self.schema["classes"] or []
            if not (self._folder / PROGRAM).is_file():
                raise ValueError(f"no {PROGRAM}")
        except (OSError, EOFError, ValueError, KeyError, TypeError, tarfile.TarError) as error:
            self._temporary.cleanup()
            raise QualityError(
                f"{archive} is not a model archive of this project ({error}); pass the model.tar.gz of its training job"
            ) from error
        is_multiclass = self.problem_type == MULTICLASS
        self.outputs: Sequence[str] = [str(label) for label in self.classes] if is_multiclass else [SINGLE_OUTPUT]

    def __enter__(self) -> ModelArchive:
        return self

    def __exit__(self, *_: object) -> None:
        self._temporary.cleanup()

    def score(self, batches: Iterable[pa.RecordBatch], explain: bool = False) -> Iterator[ScoredBatch]:
        """Predict records in their order, and explain the predictions.

        Columns of the model that are derived from one feature alone, such as the parts of a date, count for that
        feature. A column of the user's features.py counts for itself.

        Args:
            batches: Records with at least one of the features, as original values or texts.
            explain: Whether to compute SHAP values, which takes some hundred times as long.

        Raises:
            QualityError: A value does not match its feature, or the archive cannot explain.
            NoRecords: There are no records.
        """
        names, column_of = attributed_features(self.schema)
        with tempfile.TemporaryDirectory(prefix="scores-") as name:
            rows, scores = Path(name) / "rows.parquet", Path(name) / "scores.parquet"
            self._write(batches, rows)
            self._run(["--input", str(rows), "--output", str(scores), *(["--contributions"] if explain else [])])
            rows.unlink()
            with pq.ParquetFile(scores) as file:
                # a row group has as many rows as fit in memory with all their contributions
                for batch in file.iter_batches(file.metadata.row_group(0).num_rows):
                    if not explain:
                        yield ScoredBatch(batch, None)
                        continue
                    found = batch[CONTRIBUTIONS].flatten().to_numpy().reshape(len(batch), len(self.outputs), -1)
                    values = by_feature(found[:, :, :-1], column_of, len(names))
                    shap = LocalShap(names, self.outputs, values, found[0, :, -1])
                    yield ScoredBatch(batch.drop_columns([CONTRIBUTIONS]), shap)

    def predict(self, records: pa.Table) -> np.ndarray:
        """Predict records: the probability of the positive class, those of all classes, or numbers.

        Returns:
            Shape (records,), or (records, classes) for more than two classes.
        """
        return np.concatenate([self._numbers(scored.predictions) for scored in self.score(records.to_batches())])

    def _numbers(self, predictions: pa.RecordBatch) -> np.ndarray:
        if self.problem_type == MULTICLASS:
            # by position, because names of classes may be such that their texts are equal
            names = [name for name in predictions.schema.names if name.startswith("probability_")]
            return np.column_stack([predictions[name].to_numpy() for name in names])
        return np.asarray(predictions["probability" if self.problem_type == BINARY else "prediction"].to_numpy())

    def _write(self, batches: Iterable[pa.RecordBatch], path: Path) -> None:
        """Write the features of the records; of a batch without rows, nothing."""
        writer = None
        try:
            for batch in batches:
                if not len(batch):
                    continue
                names = [name for name in self.features if name in batch.schema.names]
                if not names:
                    raise QualityError(
                        f"the records have none of the features of {self.path.name} ({', '.join(self.features)}); "
                        "name the columns as in the training data"
                    )
                batch = batch.select(names)
                writer = writer or pq.ParquetWriter(path, batch.schema, compression="none")
                writer.write_batch(batch)
        finally:
            if writer is not None:
                writer.close()
        if writer is None:
            raise NoRecords("there are no records to predict; give a dataset with records")

    def _run(self, options: Sequence[str]) -> None:
        # our own modules must not take the place of the archive's
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        ended = subprocess.run(
            [sys.executable, str(self._folder / PROGRAM), *options],
            cwd=self._folder / PROGRAM.parent,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if ended.returncode:
            reason = (ended.stderr.strip().splitlines() or [f"exit status {ended.returncode}"])[-1]
            if "unrecognized arguments: --contributions" in reason:
                reason = "its code is older than this analysis; train the model again"
            raise QualityError(f"{self.path.name} cannot predict the records: {reason}")


def attributed_features(schema: Mapping[str, Any]) -> tuple[list[str], list[int]]:
    """Return the names that attributions are reported for, and the place among them of each column of the model."""
    columns = schema.get("columns") or schema["features"]
    sources = [column.get("source", column["name"]) for column in columns]
    order = [feature["name"] for feature in schema["features"] if feature["name"] in set(sources)]
    names = list(dict.fromkeys([*order, *sources]))
    places = {name: place for place, name in enumerate(names)}
    return names, [places[source] for source in sources]


def by_feature(contributions: np.ndarray, column_of: Sequence[int], features: int) -> np.ndarray:
    """Add up the contributions of each feature's columns, shape (records, outputs, columns)."""
    if list(column_of) == list(range(features)):
        return contributions
    values = np.zeros((*contributions.shape[:2], features))
    for column, feature in enumerate(column_of):
        values[:, :, feature] += contributions[:, :, column]
    return values
