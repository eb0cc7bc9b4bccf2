"""The MLflow runs of an execution: found by name, so that a repeated step completes the run that it has begun."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import mlflow
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException

from tracking.contents import RunContents
from tracking.datasets import Split

# what the API takes in one call
METRICS_PER_CALL, PARAMETERS_PER_CALL = 1000, 100
PARENT = "mlflow.parentRunId"


class Experiment:
    """An MLflow experiment, created if it does not exist.

    Args:
        tracking_uri: URI of a tracking server, or the ARN of one of SageMaker's.
        name: Name of the experiment.

    Raises:
        ConnectionError: The tracking server cannot be reached.
    """

    def __init__(self, tracking_uri: str, name: str) -> None:
        if not tracking_uri.startswith("arn:"):
            # for the URI of another server, SageMaker's plugin warns at each request that it is not an ARN
            logging.getLogger("mlflow.tracking.request_header.registry").setLevel(logging.ERROR)
        # SageMaker's plugin reads the global URI
        mlflow.set_tracking_uri(tracking_uri)
        self._client = mlflow.MlflowClient()
        try:
            self.id: str = mlflow.set_experiment(name).experiment_id
        except MlflowException as error:
            # MLflow raises it while it handles the exception of requests, which is an OSError
            if not isinstance(error.__context__, OSError):
                raise
            raise ConnectionError(
                f"{tracking_uri} cannot be reached from the job ({type(error.__context__).__name__}); start the "
                "server or correct tracking.mlflow, then run the pipeline again"
            ) from error

    def find(self, name: str) -> Run | None:
        """Return the run of a name; None if there is none."""
        runs = self._client.search_runs([self.id], f"attributes.run_name = '{name}'", max_results=1)
        return runs[0] if runs else None

    def run(self, name: str, tags: Mapping[str, str]) -> Run:
        """Return the run of a name; create it if there is none."""
        return self.find(name) or self._client.create_run(self.id, run_name=name, tags=dict(tags))

    def children(self, parent: Run) -> dict[str, Run]:
        """Return the child runs of a run by name."""
        found = self._client.search_runs([self.id], f"tags.`{PARENT}` = '{parent.info.run_id}'", max_results=1000)
        return {run.info.run_name: run for run in found}

    def child(self, parent: Run, name: str, known: Mapping[str, Run], tags: Mapping[str, str]) -> Run:
        """Return a child run; create it if it is not known."""
        tags = {PARENT: parent.info.run_id, **tags}
        return known.get(name) or self._client.create_run(self.id, run_name=name, tags=tags)

    def log(self, run: Run, contents: RunContents) -> None:
        """Log parameters, metrics and tags in few calls; to log the same again changes nothing."""
        # the time is a part of a metric's identity, beside its step and value
        time = run.info.start_time
        metrics = [Metric(name, value, time, step) for name, value, step in contents.metrics]
        parameters = [Param(name, value) for name, value in contents.parameters.items()]
        for start in range(0, len(metrics), METRICS_PER_CALL):
            self._client.log_batch(run.info.run_id, metrics=metrics[start : start + METRICS_PER_CALL])
        for start in range(0, len(parameters), PARAMETERS_PER_CALL):
            self._client.log_batch(run.info.run_id, params=parameters[start : start + PARAMETERS_PER_CALL])
        self.tag(run, contents.tags)

    def tag(self, run: Run, tags: Mapping[str, str]) -> None:
        """Set tags of a run."""
        if tags:
            self._client.log_batch(run.info.run_id, tags=[RunTag(name, value) for name, value in tags.items()])

    def log_splits(self, run: Run, name: str, splits: Iterable[Split]) -> None:
        """Log the splits of the data, with their fingerprints, as MLflow datasets.

        Args:
            run: The run.
            name: Name of the data.
            splits: The splits.
        """
        inputs = []
        for split in splits:
            profile = None if split.rows is None else json.dumps({"num_rows": split.rows})
            source = json.dumps({"uri": split.uri})
            dataset = Dataset(name, split.digest, "s3", source, schema=None, profile=profile)
            inputs.append(DatasetInput(dataset, tags=[InputTag("mlflow.data.context", split.name)]))
        if inputs:
            self._client.log_inputs(run.info.run_id, inputs)

    def upload(self, run: Run, files: Mapping[str, Sequence[Path]]) -> None:
        """Upload files as artifacts, those that exist, by their folder there."""
        for folder, paths in files.items():
            for path in paths:
                if path.is_file():
                    self._client.log_artifact(run.info.run_id, str(path), folder)

    def end(self, run: Run, status: str) -> None:
        """End a run with a status: FINISHED, FAILED or KILLED."""
        self._client.set_terminated(run.info.run_id, status)
