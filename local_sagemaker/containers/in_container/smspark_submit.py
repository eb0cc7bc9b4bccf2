"""The entry point of SageMaker's Spark image: `smspark-submit [OPTION ...] APPLICATION [ARGUMENT ...]`.

The image makes the job's instances a cluster. Here the first one runs all tasks, with two of them at a time, and the
others have nothing to do.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(os.environ["SAGEMAKER_BASE_DIR"])
CONFIGURATION = ROOT / "processing" / "input" / "conf" / "configuration.json"
# The local directory of each instance is deleted with the job's folder; the driver is not reachable from elsewhere.
SETTINGS = {
    "spark.master": "local[2]",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.memory": "2g",
    "spark.local.dir": str(ROOT / "spark"),
    "spark.log.level": "WARN",
    "spark.sql.warehouse.dir": str(ROOT / "spark" / "warehouse"),
    "spark.ui.enabled": "false",
}
CLUSTER_SETTINGS = ("spark.master", "spark.driver.memory", "spark.driver.defaultJavaOptions", "spark.executor.")


def main() -> int:
    parser = argparse.ArgumentParser(prog="smspark-submit", allow_abbrev=False)
    parser.add_argument("--class", dest="class_")
    for option in ("--jars", "--py-files", "--files"):
        parser.add_argument(option, type=_files, help="a folder, or files separated by commas")
    parser.add_argument("--local-spark-event-logs-dir", type=Path)
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("application", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    if not options.application:
        parser.error("an application is required")
    cluster = json.loads((ROOT / "config" / "resourceconfig.json").read_text(encoding="utf-8"))
    if cluster["current_host"] != min(cluster["hosts"]):
        print(f"On this machine, {min(cluster['hosts'])} runs all Spark tasks.")
        return 0
    command = ["--class", options.class_] if options.class_ else []
    for name, files in (("--jars", options.jars), ("--py-files", options.py_files), ("--files", options.files)):
        command += [name, files] if files else []
    for name, value in (SETTINGS | _configuration() | _event_log(options.local_spark_event_logs_dir)).items():
        command += ["--conf", f"{name}={value}"]
    if options.verbose:
        command.append("--verbose")
    environment = {**os.environ, "PYSPARK_PYTHON": sys.executable, "PYTHONHASHSEED": "0"}
    submit = subprocess.run([_spark_submit(), *command, *options.application], env=environment, check=False)
    if submit.returncode:
        _write_message(f"spark failed with a non-zero exit code: {submit.returncode}")
    return submit.returncode


def _files(text: str) -> str:
    """Return paths as spark-submit expects them; a folder stands for the files in it."""
    paths = []
    for path in map(Path, text.split(",")):
        paths += sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() else [path]
    return ",".join(map(str, paths))


def _configuration() -> dict[str, str]:
    """Return the properties that `PySparkProcessor.run(configuration=...)` sets."""
    if not CONFIGURATION.is_file():
        return {}
    content = json.loads(CONFIGURATION.read_text(encoding="utf-8"))
    settings: dict[str, str] = {}
    for item in content if isinstance(content, list) else [content]:
        if item["Classification"] != "spark-defaults":
            sys.exit(
                f"configuration {item['Classification']!r} is not supported on this machine; use spark-defaults alone"
            )
        settings |= item["Properties"]
    # those of the image's cluster are not for this machine
    return {name: value for name, value in settings.items() if not name.startswith(CLUSTER_SETTINGS)}


def _event_log(folder: Path | None) -> dict[str, str]:
    if folder is None:
        return {}
    folder.mkdir(parents=True, exist_ok=True)
    return {"spark.eventLog.enabled": "true", "spark.eventLog.dir": folder.resolve().as_uri()}


def _spark_submit() -> str:
    import pyspark

    return str(Path(pyspark.__file__).parent / "bin" / "spark-submit")


def _write_message(text: str) -> None:
    """Write the exit message; like the image, over one that the application has written."""
    (ROOT / "output" / "message").write_text(f"Algorithm Error: {text}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
