"""The champion: the latest approved version, scored on the same test rows by its own inference code."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from evaluation.decision import MEAN, readable
from evaluation.errors import EvaluationError
from evaluation.intervals import finite, gain
from evaluation.outcome import BINARY, MULTICLASS, Outcome

SECONDS = 1800
ADVICE = "approve another version, or reject this one, or remove quality.champion"


@dataclass(frozen=True)
class Champion:
    """A version of the model package group; version 0 stands for none."""

    version: int
    arn: str
    uri: str


@dataclass(frozen=True)
class Comparison:
    """A model beside the champion.

    Attributes:
        summary: The part `champion` of summary.json.
        outcome: The champion's predictions for the test split; None without a champion, or if it is the same model.
        remarks: What a reader should know of the comparison.
    """

    summary: dict[str, Any]
    outcome: Outcome | None = None
    remarks: tuple[str, ...] = ()


def compare(
    champion: Champion,
    settings: Mapping[str, Any],
    challenger: Outcome,
    schema: Mapping[str, Any],
    archive: Path,
    records: Path,
) -> Comparison:
    """Compare a model with the champion.

    Args:
        champion: The champion.
        settings: The settings `metric`, `min_gain` and `on`.
        challenger: The new model's predictions.
        schema: The new model's schema.json.
        archive: The new model's archive.
        records: The folder of the raw test rows, in the order of the predictions.

    Raises:
        EvaluationError: The champion cannot be read, predicts something else or cannot predict the rows.
    """
    asked = {"version": champion.version, "arn": champion.arn, "metric": settings["metric"]}
    asked |= {"min_gain": settings["min_gain"], "on": settings["on"]}
    if champion.version == 0:
        sentence = "No version is approved yet, so there is no champion to compare with."
        return Comparison(asked | {"passes": 1, "gain_text": "no champion", "sentence": sentence})
    with tempfile.TemporaryDirectory(prefix="champion-") as place:
        packed, folder = Path(place) / "model.tar.gz", Path(place) / "model"
        download(champion, packed)
        if digest(packed) == digest(archive):
            sentence = f"The champion, version {champion.version}, is this model."
            return Comparison(asked | {"passes": 1, "gain_text": "the same model", "sentence": sentence})
        old_schema = unpack(champion, packed, folder)
        check_schema(champion, old_schema, schema)
        scores, missing = score(champion, old_schema, folder, records)
    if len(scores) != len(challenger.truth):
        raise EvaluationError(
            f"{records} has {len(scores)} rows and the test split {len(challenger.truth)}; use the outputs of one "
            "execution of Preprocess"
        )
    outcome = Outcome.from_scores(
        old_schema, scores, challenger.truth, challenger.weights, challenger.groups, challenger.alpha
    )
    remarks = []
    if missing:
        remarks.append(
            f"The champion, version {champion.version}, also uses {', '.join(missing)}, which the data does not have; "
            "it was compared without."
        )
    return Comparison(asked | decide(champion, settings, challenger, outcome), outcome, tuple(remarks))


def decide(champion: Champion, settings: Mapping[str, Any], challenger: Outcome, outcome: Outcome) -> dict[str, Any]:
    """Return what summary.json says of two models for the same rows."""
    metric, minimum = settings["metric"], settings["min_gain"]
    values = [float(model.values()[metric]) for model in (challenger, outcome)]
    found = gain(challenger, outcome, metric)
    judged = found.value if settings["on"] == MEAN else found.lower
    if not np.isfinite(judged):
        raise EvaluationError(
            f"{metric} is undefined on the test split, so that the model cannot be compared with version "
            f"{champion.version}; use another metric in quality.champion, or more data"
        )
    passes = judged >= minimum
    value, lower, upper = readable(found.value), readable(found.lower), readable(found.upper)
    subject = "the gain" if settings["on"] == MEAN else "the lower bound of the gain"
    sentence = (
        f"{metric} is {readable(values[0])}, and {readable(values[1])} of the champion, version {champion.version}: a "
        f"gain of {value} (95 % interval {lower} to {upper}); "
        f"{subject} {'reaches' if passes else 'must be at least'} {minimum:.12g}"
    )
    return {
        "value": values[1],
        "challenger": values[0],
        "gain": finite(found.value),
        "lower": finite(found.lower),
        "upper": finite(found.upper),
        # the metadata of a model package may have neither parentheses nor a percent sign
        "gain_text": f"{metric} {value} between {lower} and {upper}",
        "passes": int(passes),
        "sentence": sentence,
    }


def download(champion: Champion, path: Path) -> None:
    """Download the champion's archive."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    if not champion.uri.startswith("s3://"):
        raise EvaluationError(f"the champion, {champion.arn}, has no model archive; {ADVICE}")
    bucket, key = champion.uri.removeprefix("s3://").split("/", 1)
    try:
        # SageMaker sets AWS_REGION in its containers, which boto3 does not read.
        s3 = boto3.client("s3", region_name=os.environ.get("AWS_REGION"))
        s3.download_file(bucket, key, str(path))
    except (BotoCoreError, ClientError) as error:
        raise EvaluationError(
            f"cannot download the model of the champion, {champion.uri}: {error}; give the job's role access to it, or "
            "approve another version"
        ) from error


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unpack(champion: Champion, archive: Path, folder: Path) -> dict[str, Any]:
    """Unpack the champion's archive and return its schema.json."""
    try:
        with tarfile.open(archive, "r:gz") as members:
            members.extractall(folder, filter="data")
        schema: dict[str, Any] = json.loads((folder / "schema.json").read_text(encoding="utf-8"))
    except (OSError, EOFError, tarfile.TarError, ValueError) as error:
        raise EvaluationError(
            f"the champion, version {champion.version}, is not a model of this project ({error}); {ADVICE}"
        ) from error
    if not (folder / "code" / "score_file.py").is_file():
        raise EvaluationError(
            f"the champion, version {champion.version}, was trained before versions could be compared: its archive has "
            f"no code/score_file.py; {ADVICE}"
        )
    return schema


def check_schema(champion: Champion, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Raise EvaluationError unless the champion predicts the same thing."""
    for name, title in (("target", "target"), ("problem_type", "problem type"), ("classes", "classes")):
        if old.get(name) != new.get(name):
            raise EvaluationError(
                f"the champion, version {champion.version}, has the {title} {old.get(name)!r} and the new model "
                f"{new.get(name)!r}, so that they cannot be compared; set registration.model_package_group to another "
                f"group for the new problem, or {ADVICE}"
            )


def score(champion: Champion, schema: Mapping[str, Any], model: Path, records: Path) -> tuple[np.ndarray, list[str]]:
    """Predict the raw test rows by the code in the champion's archive, in a process of its own.

    Returns:
        The scores as in Outcome, and the champion's features that the rows do not have.
    """
    scores, missing = [], []
    for path in sorted(records.glob("*.parquet")):
        file = pq.ParquetFile(path)
        if not file.metadata.num_rows:
            continue
        present = set(file.schema_arrow.names)
        missing = [feature["name"] for feature in schema["features"] if feature["name"] not in present]
        output = model.parent / "predictions.parquet"
        run(champion, [str(model / "code" / "score_file.py"), "--input", str(path), "--output", str(output)])
        scores.append(scores_in(pq.read_table(output), schema))
    if not scores:
        raise EvaluationError(f"{records} has no Parquet file with rows; expected the records of Preprocess")
    return np.concatenate(scores), missing


def run(champion: Champion, command: list[str]) -> None:
    # the modules of this job must not be taken for those of the champion
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    failed = f"the champion, version {champion.version}, cannot predict the test rows"
    try:
        done = subprocess.run(
            [sys.executable, *command],
            env=environment,
            cwd=Path(command[0]).parent,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise EvaluationError(f"{failed} within {SECONDS} s; {ADVICE}") from error
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise EvaluationError(f"{failed}: {reason}; {ADVICE}")


def scores_in(predictions: pa.Table, schema: Mapping[str, Any]) -> np.ndarray:
    """Return the scores in the output of score_file.py."""
    if schema["problem_type"] == BINARY:
        return predictions["probability"].to_numpy()
    if schema["problem_type"] == MULTICLASS:
        # by position, because names of classes may be such that their texts are equal
        names = [name for name in predictions.column_names if name.startswith("probability_")]
        return np.column_stack([predictions[name].to_numpy() for name in names])
    return predictions["prediction"].to_numpy()
