"""Track: log an execution as an MLflow run.

Its step reads what the other steps have written, after the fact. No other step needs MLflow or knows of it: their
arguments and with them the keys of the step cache are the same with and without tracking, and an execution that takes
its model from the cache is a run with all metrics and curves, too. What training prints meanwhile is in CloudWatch.

The run has the name of the execution's ID, and
    parameters   hyperparameters as trained, what is required of the model, decision threshold
    metrics      of the test split with 95 % intervals, of training and validation; boosting/... by iteration
    datasets     the splits, with a fingerprint of their content
    artifacts    report, evaluation, training curve and model archive
    tags         execution, job, code, commit, image; the verdict and remarks as its description
and a child run for each trial of a tuning job. It is FAILED if the model is not good enough, as the execution is.
With --model-package, only the ARN of the registered version is added to the run. Output, under the output folder:
    run/run.json   ID of the run and its experiment, and the tracking URI; or `unavailable`, the reason

Exit status 0, also if MLflow is not available: the reason is printed, and becomes the job's exit message.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from job_files import write_exit_message, write_text
from tracking.contents import execution_contents, read_member, trial_contents
from tracking.datasets import Split, fingerprint

# in a VPC without a route to MLflow, requests get no answer
TOTAL_SECONDS = 300.0
REQUESTS = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "10", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
CONFIG = Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 2})
MODEL_ARCHIVE, OUTPUT_ARCHIVE, CURVE, PLOT = "model.tar.gz", "output.tar.gz", "training_curve.csv", "training_curve.svg"


class NotTracked(Exception):
    """The execution cannot be tracked; the message says why."""


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse_arguments(arguments)
    # a thread, because a look-up of a host's name cannot be interrupted otherwise
    watch = threading.Timer(options.total_seconds, give_up, [options])
    watch.daemon = True
    watch.start()
    try:
        run = track(options)
    except (NotTracked, ConnectionError) as error:
        run = not_tracked(options, str(error))
    # whatever MLflow, its plugins and their dependencies raise: a model is worth more than its record
    except Exception as error:
        run = not_tracked(options, f"{type(error).__name__}: {error}")
    watch.cancel()
    write_result(options, run)


def give_up(options: argparse.Namespace) -> None:
    reason = f"MLflow has not answered within {options.total_seconds:g} s"
    write_result(options, not_tracked(options, reason))
    os._exit(0)


def not_tracked(options: argparse.Namespace, reason: str) -> dict[str, str]:
    message = f"warning: the execution is not tracked by {options.mlflow}: {reason}"
    print(message, flush=True)
    write_exit_message(message)
    return {"unavailable": reason}


def write_result(options: argparse.Namespace, run: dict[str, str]) -> None:
    write_text(json.dumps(run, indent=2) + "\n", options.output_dir / "run" / "run.json")


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = parser.add_argument
    add("--mlflow", required=True, help="ARN or URI of a tracking server, name or ARN of an MLflow App, or `default`")
    add("--experiment", required=True, help="name of the experiment")
    add("--execution-arn", required=True, help="ARN of the execution")
    add("--model-package", help="ARN of the version that the execution has registered")
    add("--model-uri", help="S3 URI of the model archive")
    add("--split", action="append", nargs=2, default=[], metavar=("NAME", "URI"), help="S3 prefix of a split")
    add("--trials-uri", help="S3 prefix of the outputs of trials")
    add("--tag", action="append", nargs=2, default=[], metavar=("NAME", "VALUE"), help="further tag of the run")
    add("--input-dir", type=Path, default=Path("/opt/ml/processing/input"), help="folder of evaluation/ and report/")
    add("--output-dir", type=Path, default=Path("/opt/ml/processing/output"))
    add("--total-seconds", type=float, default=TOTAL_SECONDS, help="give up after this time")
    return parser.parse_args(arguments)


def track(options: argparse.Namespace) -> dict[str, str]:
    """Log the execution, or add its model package to the run.

    Returns:
        The content of run.json.

    Raises:
        NotTracked: There is no such MLflow App, or no run to add the model package to.
        ConnectionError: MLflow cannot be reached.
    """
    os.environ |= REQUESTS
    uri = tracking_uri(options.mlflow)
    # slow to import, and not installed where pip has no network
    from tracking.runs import Experiment

    experiment = Experiment(uri, options.experiment)
    name = options.execution_arn.rsplit("/", 1)[-1]
    if options.model_package:
        run = experiment.find(name)
        if run is None:
            raise NotTracked(f"experiment {options.experiment!r} has no run {name!r}")
        experiment.tag(run, {"sagemaker.model_package_arn": options.model_package})
    else:
        run = experiment.run(name, {"sagemaker.pipeline_execution_arn": options.execution_arn})
        log_execution(experiment, run, options)
    print(f"logged run {name!r} in experiment {options.experiment!r}")
    return {
        "tracking_uri": uri,
        "experiment": options.experiment,
        "experiment_id": experiment.id,
        "run_id": run.info.run_id,
    }


def tracking_uri(mlflow: str) -> str:
    """Return what MLflow's client takes: a URI or ARN unchanged, or the ARN of the MLflow App of a name.

    Raises:
        NotTracked: There is no such app.
    """
    if ":" in mlflow:
        return mlflow
    query = {"AccountDefaultStatus": "ENABLED"} if mlflow == "default" else {}
    pages = client("sagemaker").get_paginator("list_mlflow_apps").paginate(**query)
    for page in pages:
        for app in page["Summaries"]:
            if query or app.get("Name") == mlflow:
                return str(app["Arn"])
    which = "a default MLflow App" if query else f"an MLflow App {mlflow!r}"
    raise NotTracked(f"the account does not have {which}; create one, or set tracking.mlflow to another")


def log_execution(experiment: Any, run: Any, options: argparse.Namespace) -> None:
    evaluation = options.input_dir / "evaluation"
    summary = json.loads((evaluation / "summary.json").read_text(encoding="utf-8"))
    s3 = client("s3")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        model, output = folder / MODEL_ARCHIVE, folder / OUTPUT_ARCHIVE
        download(s3, options.model_uri, model)
        download(s3, sibling(options.model_uri), output)
        for name in (CURVE, PLOT):
            (folder / name).write_text(read_member(output, name), encoding="utf-8")
        curve = (folder / CURVE).read_text(encoding="utf-8")
        contents = execution_contents(summary, json.loads(read_member(model, "metrics.json")), curve)
        experiment.log(run, contents)
        experiment.tag(run, {"sagemaker.model_uri": options.model_uri} | dict(options.tag))
        splits = [Split(name, uri, fingerprint(s3, uri), summary["rows"].get(name)) for name, uri in options.split]
        experiment.log_splits(run, options.experiment, splits)
        log_trials(experiment, run, summary.get("tuning") or {}, options.trials_uri, s3)
        experiment.end(run, contents.status)
        # not samples.jsonl, whose records are those of the data
        files = {
            "report": [options.input_dir / "report" / "report.html"],
            "evaluation": [evaluation / "summary.json", evaluation / "evaluation.json"],
            "training": [folder / CURVE, folder / PLOT],
            "model": [model],
        }
        experiment.upload(run, files)


def log_trials(experiment: Any, run: Any, tuning: dict[str, Any], trials_uri: str | None, s3: Any) -> None:
    """Log each trial of summary.json as a child run, with its curve if it has written one."""
    if not tuning.get("trials"):
        return
    known = experiment.children(run)
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / OUTPUT_ARCHIVE
        for trial in tuning["trials"]:
            job, curve = trial["training_job"], ""
            if trials_uri:
                try:
                    download(s3, f"{trials_uri}/{job}/output/{OUTPUT_ARCHIVE}", archive)
                    curve = read_member(archive, CURVE)
                except (BotoCoreError, ClientError) as error:
                    print(f"training job {job} has no training curve: {error}")
            child = experiment.child(run, job, known, {"sagemaker.training_job": job})
            contents = trial_contents(trial, tuning["objective"]["name"], curve)
            experiment.log(child, contents)
            experiment.end(child, contents.status)


def sibling(model_uri: str) -> str:
    """Return the S3 URI of the output of the job that has written a model archive."""
    return f"{model_uri.removesuffix(MODEL_ARCHIVE)}{OUTPUT_ARCHIVE}"


def download(s3: Any, uri: str, path: Path) -> None:
    bucket, key = uri.removeprefix("s3://").split("/", 1)
    s3.download_file(bucket, key, str(path))


def client(service: str) -> Any:
    # SageMaker sets AWS_REGION in its containers, which boto3 does not read
    return boto3.client(service, region_name=os.environ.get("AWS_REGION"), config=CONFIG)


if __name__ == "__main__":
    main()
