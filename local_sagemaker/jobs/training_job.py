"""Training jobs: channels below /opt/ml/input/data, model.tar.gz and output.tar.gz.

They run in script mode, with an image's own entry point or with a built-in algorithm.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import PurePosixPath

from local_sagemaker.algorithms.xgboost.built_in import is_built_in, metric_definitions
from local_sagemaker.containers.container import XGBOOST, Command, Container
from local_sagemaker.containers.images import remote_function, xgboost_versions
from local_sagemaker.containers.images.remote_function import RemoteFunction
from local_sagemaker.jobs import checkpoints, script_mode
from local_sagemaker.jobs.job import Job, JobResult, end_changes, host_names, s3_input
from local_sagemaker.jobs.training_metrics import TrainingMetrics
from local_sagemaker.storage import log_files as logs
from local_sagemaker.storage.objects import ObjectStore
from local_sagemaker.storage.records import Record
from local_sagemaker.storage.transfers import ClientFault, Input, Output, files_below, put_archive, put_files, unpack

SOURCE = "source"
ALGORITHM = XGBOOST / "xgboost_algorithm.py"

_PHASES = {
    "Downloading": "Downloading input data",
    "Training": "Training image download completed. Training in progress.",
    "Uploading": "Uploading generated training model",
    "Stopping": "Stopping the training job",
    "Completed": "Training job completed",
    "Failed": "Training job failed",
    "Stopped": "Training job stopped",
    "MaxRuntimeExceeded": "Training job runtime exceeded MaxRuntimeInSeconds provided",
}


class TrainingJob(Job):
    kind = "training-job"
    log_group = logs.TRAINING_JOBS
    grace = 120

    def __init__(self, request: Record) -> None:
        super().__init__(request)
        specification = request["AlgorithmSpecification"]
        self.image = specification.get("TrainingImage", "")
        self.hosts = host_names(request.get("ResourceConfig", {}).get("InstanceCount", 1))
        self.hyperparameters = script_mode.decode(request.get("HyperParameters", {}))
        for item in specification.get("MetricDefinitions", []):
            re.compile(item["Regex"])
        # last value of each metric and its time
        self._metrics: dict[str, tuple[float, float]] = {}

    def new_record(self, now: float) -> Record:
        metrics = {"MetricDefinitions": self._metric_definitions} if self._metric_definitions else {}
        return {
            **super().new_record(now),
            "AlgorithmSpecification": {**self.request["AlgorithmSpecification"], **metrics},
            "SecondaryStatus": "Starting",
            "SecondaryStatusTransitions": [
                {"Status": "Starting", "StartTime": now, "StatusMessage": "Starting the training job"}
            ],
        }

    def remote_function(self) -> RemoteFunction | None:
        specification = self.request["AlgorithmSpecification"]
        return remote_function.remote_function(
            specification.get("ContainerEntrypoint", []), specification.get("ContainerArguments", [])
        )

    def inputs(self) -> list[Input]:
        inputs = [_channel(item) for item in self.request.get("InputDataConfig", [])]
        if self._runs_script() and self._source_uri().startswith("s3://"):
            inputs.append(Input(SOURCE, f"/opt/ml/{SOURCE}", self._source_uri()))
        if (output := self.checkpoint_output()) is not None:
            inputs.append(Input("checkpoints", output.path, output.uri, optional=True))
        return inputs

    def checkpoint_output(self) -> Output | None:
        config = self.request.get("CheckpointConfig")
        if config is None:
            return None
        folder = config.get("LocalPath", checkpoints.DEFAULT_FOLDER)
        if not folder.startswith("/opt/ml/"):
            raise ClientFault(f"CheckpointConfig: LocalPath must be below /opt/ml on this machine, not {folder!r}")
        return Output(folder, f"{config['S3Uri'].rstrip('/')}/")

    def prepare(self, container: Container, arn: str) -> list[Command]:
        resource_config = self._resource_config(container.host)
        input_data_config = {
            item["ChannelName"]: _channel_config(item) for item in self.request.get("InputDataConfig", [])
        }
        container.write_json("input/config/hyperparameters.json", self.request.get("HyperParameters", {}))
        container.write_json("input/config/resourceconfig.json", resource_config)
        container.write_json("input/config/inputdataconfig.json", input_data_config)
        if (output := self.checkpoint_output()) is not None:
            config = {"S3Uri": output.uri, "LocalPath": str(container.path(output.path))}
            container.write_json("input/config/checkpointconfig.json", config)
        for folder in ("model", "output/data", "code"):
            container.path(folder).mkdir(parents=True, exist_ok=True)
        environment = {
            **self.environment(arn),
            **(remote_function.ENVIRONMENT if self.runtime.remote_function else {}),
            "CURRENT_HOST": container.host,
            **script_mode.environment(
                self.hyperparameters,
                resource_config,
                input_data_config,
                self.name,
                self.runtime.image,
                script_mode.cpus_per_host(len(self.hosts) * self.concurrent),
            ),
            **self.request.get("Environment", {}),
        }
        if self._is_built_in():
            return [Command(["python", str(ALGORITHM)], environment | xgboost_versions.environment(self.runtime.tag))]
        if self._runs_script():
            return self._script_commands(container, environment)
        specification = self.request["AlgorithmSpecification"]
        image_entry_point = self.entry_point(container)
        entry_point = specification.get("ContainerEntrypoint")
        # the service runs an image's own entry point with the argument "train"
        arguments = specification.get("ContainerArguments", [] if entry_point else ["train"])
        command = [*(entry_point or image_entry_point), *arguments]
        container.rewrite_code(command, [source.path for source in self.inputs()])
        return [Command(command, environment, folder=self.working_folder)]

    def on_log_line(self, line: str, now: float) -> None:
        for name, regex in self._regexes:
            for match in regex.finditer(line):
                with contextlib.suppress(ValueError, IndexError):
                    value = float(match.group(1))
                    if math.isfinite(value):
                        self._metrics[name] = (value, now)
                        self._published_metrics.add(name, value, now)
                        if self.on_metric is not None:
                            self.on_metric(name, value)

    def on_log_end(self) -> None:
        self._published_metrics.publish()

    def phase_changes(self, record: Record, phase: str, now: float) -> Record:
        status = "Training" if phase == "Running" else phase
        changes: Record = {"LastModifiedTime": now, **_transition(record, status, now)}
        if status == "Downloading":
            changes["TrainingStartTime"] = now
        if status == "Stopping":
            changes["TrainingJobStatus"] = "Stopping"
        return changes

    def upload(self, objects: ObjectStore, containers: Sequence[Container], failed: bool) -> None:
        # as in the service: a failed job has output but no model; an empty model is uploaded, an empty output is not
        folders = {"output": [container.path("output/data") for container in containers]}
        if not failed:
            folders["model"] = [container.path("model") for container in containers]
        for name, sources in folders.items():
            uri = f"{self._output_uri()}/{name}"
            if not self._compressed():
                # the files of the first host take precedence, as in an archive
                for source in reversed(sources):
                    put_files(objects, source, uri)
            elif name == "model" or any(any(files_below(source)) for source in sources):
                put_archive(objects, sources, f"{uri}.tar.gz")

    def end_changes(self, record: Record, result: JobResult, containers: Sequence[Container], now: float) -> Record:
        status = "MaxRuntimeExceeded" if result.timed_out else result.status
        seconds = max(1, round(now - record.get("TrainingStartTime", now)))
        changes = {
            **end_changes(self.kind, result, now),
            "TrainingStartTime": record.get("TrainingStartTime", now),
            "TrainingTimeInSeconds": seconds,
            "BillableTimeInSeconds": seconds,
            "FinalMetricDataList": [
                {"MetricName": name, "Value": value, "Timestamp": timestamp}
                for name, (value, timestamp) in self._metrics.items()
            ],
            **_transition(record, status, now, ended=True),
        }
        if result.status != "Failed":
            archive = f"{self._output_uri()}/model{'.tar.gz' if self._compressed() else '/'}"
            changes["ModelArtifacts"] = {"S3ModelArtifacts": archive}
        return changes

    def _is_built_in(self) -> bool:
        return is_built_in(self.runtime, self.request["AlgorithmSpecification"], self.hyperparameters)

    def _runs_script(self) -> bool:
        has_entry_point = "ContainerEntrypoint" in self.request["AlgorithmSpecification"] or self.runtime.command
        return not has_entry_point and not self._is_built_in()

    @cached_property
    def _published_metrics(self) -> TrainingMetrics:
        return TrainingMetrics(self.name, self.put_metric_data)

    @cached_property
    def _metric_definitions(self) -> list[dict[str, str]]:
        return metric_definitions(self.runtime, self.request["AlgorithmSpecification"])

    @cached_property
    def _regexes(self) -> list[tuple[str, re.Pattern[str]]]:
        return [(item["Name"], re.compile(item["Regex"])) for item in self._metric_definitions]

    def _source_uri(self) -> str:
        for name in ("sagemaker_program", "sagemaker_submit_directory"):
            if not isinstance(self.hyperparameters.get(name), str):
                raise ClientFault(
                    f"hyperparameter {name!r} is missing; image {self.image!r} runs in script mode, which requires the "
                    "script's name in sagemaker_program and the S3 URI of its sourcedir.tar.gz in "
                    "sagemaker_submit_directory"
                )
        return str(self.hyperparameters["sagemaker_submit_directory"])

    def _script_commands(self, container: Container, environment: dict[str, str]) -> list[Command]:
        code, uri = container.path("code"), self._source_uri()
        # with network isolation the SDK passes the source in a channel, as a path instead of a URI
        unpack(container.path(f"{SOURCE}/{PurePosixPath(uri).name}" if uri.startswith("s3://") else uri), code)
        program = self.hyperparameters["sagemaker_program"]
        if not (container.path(f"code/{program}")).is_file():
            raise ClientFault(f"{uri} does not contain {program!r} (sagemaker_program)")
        container.rewrite_scripts("code")
        (code / program).chmod(0o755)
        run = ["python", program] if program.endswith(".py") else ["/bin/sh", "-c", './"$0" "$@"', program]
        commands = [
            Command(
                [*run, *script_mode.arguments(self.hyperparameters)],
                environment,
                folder="/opt/ml/code",
                failure='ExecuteUserScriptError:\nExitCode {code}\nErrorMessage "{message}"\nCommand "{command}"',
            )
        ]
        if (code / "requirements.txt").is_file():
            install = Command(
                ["pip", "install", "-r", "requirements.txt"],
                environment,
                folder="/opt/ml/code",
                failure='InstallRequirementsError:\nExitCode {code}\nErrorMessage "{message}"\nCommand "{command}"',
            )
            commands.insert(0, install)
        return commands

    def _resource_config(self, host: str) -> Record:
        instance_type = self.request.get("ResourceConfig", {}).get("InstanceType", "local")
        group = {"instance_group_name": "homogeneousCluster", "instance_type": instance_type, "hosts": self.hosts}
        return {
            "current_host": host,
            "current_instance_type": instance_type,
            "current_group_name": "homogeneousCluster",
            "hosts": self.hosts,
            "instance_groups": [group],
            "network_interface_name": "lo",
        }

    def _output_uri(self) -> str:
        return f"{self.request['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{self.name}/output"

    def _compressed(self) -> bool:
        return self.request["OutputDataConfig"].get("CompressionType", "GZIP") == "GZIP"


def _channel(item: Record) -> Input:
    name, source = item["ChannelName"], item["DataSource"].get("S3DataSource")
    if source is None:
        raise ClientFault(f"channel {name!r} has no S3DataSource; other sources are not supported on this machine")
    if item.get("InputMode") == "Pipe" or source["S3DataType"] not in ("S3Prefix", "ManifestFile"):
        raise ClientFault(
            f"channel {name!r}: InputMode {item.get('InputMode', 'File')} with S3DataType {source['S3DataType']} is "
            "not supported on this machine; use InputMode File or FastFile and S3DataType S3Prefix or ManifestFile"
        )
    return s3_input(name, f"/opt/ml/input/data/{name}", source)


def _channel_config(item: Record) -> dict[str, str]:
    source = item["DataSource"].get("S3DataSource", {})
    config = {
        "TrainingInputMode": item.get("InputMode", "File"),
        "S3DistributionType": source.get("S3DataDistributionType", "FullyReplicated"),
        "RecordWrapperType": item.get("RecordWrapperType", "None"),
    }
    return config | ({"ContentType": item["ContentType"]} if "ContentType" in item else {})


def _transition(record: Record, status: str, now: float, ended: bool = False) -> Record:
    *earlier, last = record["SecondaryStatusTransitions"]
    new = {"Status": status, "StartTime": now, "StatusMessage": _PHASES[status]} | ({"EndTime": now} if ended else {})
    return {
        "SecondaryStatus": status,
        "SecondaryStatusTransitions": [*earlier, {**last, "EndTime": now}, new],
    }
