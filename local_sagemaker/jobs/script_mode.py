"""SageMaker's script mode, as the framework images' sagemaker-training 4.8 does it: a script of the user's own is run
with the hyperparameters as arguments and the job's description in SM_* variables.

Source: https://github.com/aws/sagemaker-training-toolkit (ENVIRONMENT_VARIABLES.md and what its code adds).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from local_sagemaker.containers.images.image import Image

# hyperparameters with this prefix are for the image, the others for the script
PREFIX = "sagemaker_"
FRAMEWORK_MODULES = {
    Image.SCIKIT_LEARN: "sagemaker_sklearn_container.training:main",
    Image.XGBOOST: "sagemaker_xgboost_container.training:main",
}


def decode(hyperparameters: Mapping[str, str]) -> dict[str, Any]:
    """Hyperparameters with their values JSON-decoded where they are JSON."""
    return {name: _decoded(value) for name, value in hyperparameters.items()}


def arguments(hyperparameters: Mapping[str, Any]) -> list[str]:
    """The script's command line: `--name value`, `-n value` for names of one letter, in order of the names."""
    line: list[str] = []
    for name, value in sorted(hyperparameters.items()):
        if name.startswith(PREFIX):
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
) -> dict[str, str]:
    """The SM_* variables of one host, their paths as the container has them.

    hyperparameters: decoded, the image's own among them. The two configs: what the files of these names in
    /opt/ml/input/config hold.
    """
    own = {name: value for name, value in hyperparameters.items() if not name.startswith(PREFIX)}
    for_image = {name: value for name, value in hyperparameters.items() if name.startswith(PREFIX)}
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
        "num_cpus": cpus_per_host(len(hosts)),
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
    """The processors of this machine, divided among the job's hosts so that they do not take them from each other."""
    return max(1, (os.cpu_count() or 1) // hosts)


_ONLY_IN_TRAINING_ENV = (
    "additional_framework_parameters",
    "channel_input_dirs",
    "hyperparameters",
    "is_master",
    "job_name",
    "master_hostname",
)


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _text(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
