"""Script mode as in the framework images' sagemaker-training 4.8.

A user's script runs with the hyperparameters as command line arguments and the job's configuration in SM_* variables.

Source: https://github.com/aws/sagemaker-training-toolkit (ENVIRONMENT_VARIABLES.md and what its code adds).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from local_sagemaker.containers.images.image import Image

# Hyperparameters with this prefix configure the image, and a tuning job adds one with its objective. The others are for
# the script.
PREFIX = "sagemaker_"
TUNING_OBJECTIVE = "_tuning_objective_metric"
FRAMEWORK_MODULES = {
    Image.SCIKIT_LEARN: "sagemaker_sklearn_container.training:main",
    Image.XGBOOST: "sagemaker_xgboost_container.training:main",
}


def decode(hyperparameters: Mapping[str, str]) -> dict[str, Any]:
    """Decode the values of hyperparameters that are JSON; others stay strings."""
    return {name: _decoded(value) for name, value in hyperparameters.items()}


def arguments(hyperparameters: Mapping[str, Any]) -> list[str]:
    """Return the script's command line, sorted by name: `--name value`, or `-n value` for names of one letter."""
    line: list[str] = []
    for name, value in sorted(hyperparameters.items()):
        if not _is_for_script(name):
            continue
        if isinstance(value, dict):
            value = ",".join(f"{key}={item}" for key, item in sorted(value.items()))
        line += [f"--{name}" if len(name) > 1 else f"-{name}", "" if value is None else str(value)]
    return line


def environment(
    hyperparameters: Mapping[str, Any],
    resource_config: Mapping[str, Any],
    input_data_config: Mapping[str, Any],
    job_name: str,
    image: Image | None = Image.SCIKIT_LEARN,
    cpus: int | None = None,
) -> dict[str, str]:
    """Return the SM_* variables of one host, with paths as in the container.

    Args:
        hyperparameters: All hyperparameters, decoded.
        resource_config: Content of /opt/ml/input/config/resourceconfig.json.
        input_data_config: Content of /opt/ml/input/config/inputdataconfig.json.
        job_name: Name of the training job.
        image: The image; None for one with an entry point of its own.
        cpus: Number of CPUs of each host; by default its share of those of this machine.
    """
    own = {name: value for name, value in hyperparameters.items() if _is_for_script(name)}
    for_image = {name: value for name, value in hyperparameters.items() if not _is_for_script(name)}
    program = for_image.get("sagemaker_program")
    channels = {channel: f"/opt/ml/input/data/{channel}" for channel in sorted(input_data_config)}
    hosts = resource_config["hosts"]
    training_env = {
        "additional_framework_parameters": {},
        "channel_input_dirs": channels,
        "current_host": resource_config["current_host"],
        "current_instance_type": resource_config["current_instance_type"],
        "framework_module": FRAMEWORK_MODULES.get(image) if image else None,
        "hosts": hosts,
        "hyperparameters": own,
        "input_config_dir": "/opt/ml/input/config",
        "input_data_config": input_data_config,
        "input_dir": "/opt/ml/input",
        "is_master": resource_config["current_host"] == hosts[0],
        "job_name": job_name,
        "log_level": int(for_image.get("sagemaker_container_log_level", 20)),
        "master_hostname": hosts[0],
        "model_dir": "/opt/ml/model",
        "module_dir": for_image.get("sagemaker_submit_directory"),
        "module_name": str(program).removesuffix(".py"),
        "network_interface_name": resource_config["network_interface_name"],
        "num_cpus": cpus or cpus_per_host(len(hosts)),
        "num_gpus": 0,
        "output_data_dir": "/opt/ml/output/data",
        "output_dir": "/opt/ml/output",
        "output_intermediate_dir": "/opt/ml/output/intermediate",
        "resource_config": resource_config,
        "user_entry_point": program,
    }
    variables = {name: value for name, value in training_env.items() if name not in _ONLY_IN_TRAINING_ENV}
    variables |= {
        "channels": sorted(channels),
        "framework_params": {},
        "hps": own,
        "training_env": training_env,
        "user_args": arguments(own),
        **{f"channel_{channel}": path for channel, path in channels.items()},
        **{f"hp_{name}": value for name, value in own.items()},
    }
    return {f"SM_{name.upper()}": _text(value) for name, value in variables.items()}


def cpus_per_host(hosts: int) -> int:
    """Return the number of CPUs for each of the job's hosts, which share those of this machine."""
    return max(1, (os.cpu_count() or 1) // hosts)


_ONLY_IN_TRAINING_ENV = (
    "additional_framework_parameters",
    "channel_input_dirs",
    "hyperparameters",
    "is_master",
    "job_name",
    "master_hostname",
)


def _is_for_script(name: str) -> bool:
    return not name.startswith(PREFIX) and name != TUNING_OBJECTIVE


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _text(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
