"""Measure a four-step pipeline on the local SageMaker against bare scripts and other tools, as whole processes.

The steps are preprocess, train, evaluate and register, with this project's scripts on 3,000 rows of 25 features
(benchmarks/peers/chain.py). The contenders are the bare scripts, one process each; the local SageMaker, driven with
boto3, with a running server and with a server started for the run; and Metaflow, Prefect, ZenML and Kedro, each as
documented, with telemetry disabled, and in its own environment, which is created on first use in .benchmarks/ (about
2 GB in total). Each has a warm-up run, except the cold server of the local SageMaker, whose data directory is new in
each run.

Contenders take turns, so that other load affects all of them alike. Training uses OpenMP threads, which other processes
slow down considerably: measure on a quiet machine.

Examples:
  python -m benchmarks.local_run                               everything; about 6 minutes on 2 quiet cores
  python -m benchmarks.local_run --only bare warm --repeats 9  the contenders with goals
  python -m benchmarks.local_run --json > local_run.json
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.environments import environment
from benchmarks.measure import Command, Measurement, Run, run_once
from benchmarks.quality import machine, progress
from local_sagemaker.http.background import stop_server

ROOT = Path(__file__).parents[1]
PEERS = ROOT / "benchmarks" / "peers"
DATA = ROOT / "examples" / "synthetic" / "data.csv"
STEPS = ("preprocess", "train", "evaluate", "register")


@dataclass(frozen=True)
class Contender:
    """A contender; ``commands`` makes the processes for a folder, which is empty in each run if ``fresh``."""

    title: str
    commands: Callable[[Path], Sequence[Command]]
    fresh: bool = False


def bare(folder: Path) -> list[Command]:
    return [Command([sys.executable, str(PEERS / "chain.py"), step, str(folder)]) for step in STEPS]


def local(folder: Path) -> list[Command]:
    variables = {"LOCAL_SAGEMAKER_DIR": str(data_dir(folder))}
    return [Command([sys.executable, str(PEERS / "chain_local.py"), str(folder)], variables)]


def data_dir(folder: Path) -> Path:
    return folder / "local_sagemaker"


def peer(name: str, *arguments: str, **variables: str) -> Callable[[Path], list[Command]]:
    """Make a run of a peer's script in its environment; {folder} stands for the folder."""

    def commands(folder: Path) -> list[Command]:
        place = environment(name)
        words = [word.format(folder=folder) for word in arguments]
        values = {key: value.format(folder=folder) for key, value in variables.items()}
        path = f"{place}{os.pathsep}{os.environ['PATH']}"
        script = str(PEERS / f"chain_{name}.py")
        common = {"PATH": path, "DO_NOT_TRACK": "1", "HOME": str(folder), "USERNAME": "benchmark"}
        return [Command([str(place / "python"), script, *words], common | values)]

    return commands


CONTENDERS = {
    "bare": Contender("bare scripts, one after the other", bare),
    "warm": Contender("here, with a server that runs already", local),
    "cold": Contender("here, with the server's start", local, fresh=True),
    "metaflow": Contender(
        "Metaflow 2.19.39, a process a step",
        peer(
            "metaflow", "--quiet", "run", "--folder", "{folder}", METAFLOW_DATASTORE_SYSROOT_LOCAL="{folder}/metaflow"
        ),
    ),
    "prefect": Contender(
        "Prefect 3.8.8, a process a task",
        peer("prefect", "{folder}", PREFECT_HOME="{folder}/prefect", PREFECT_SERVER_ANALYTICS_ENABLED="false"),
    ),
    "zenml": Contender(
        "ZenML 0.98.0, one process",
        peer("zenml", "{folder}", ZENML_CONFIG_PATH="{folder}/zenml", ZENML_ANALYTICS_OPT_IN="false"),
    ),
    "kedro": Contender("Kedro 1.7.0, one process", peer("kedro", "{folder}", KEDRO_DISABLE_TELEMETRY="1")),
}
# Goals: the longest time of a contender, as a multiple of the bare scripts' time.
GOALS = {"warm": 0.75, "cold": 1.2}


def main() -> None:
    arguments = parse_arguments()
    contenders = {name: CONTENDERS[name] for name in arguments.only or CONTENDERS}
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=arguments.folder) as folder:
        measurements = measure(contenders, Path(folder), arguments.repeats)
    result = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine(), "repeats": arguments.repeats}
    if arguments.json:
        print(json.dumps(result | document(contenders, measurements), indent=2))
    else:
        print(f"{result['date']}, {result['machine']}, medians of {arguments.repeats}\n")
        print(table(contenders, measurements))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.local_run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5, help="runs of each contender (5)")
    parser.add_argument("--only", nargs="+", choices=CONTENDERS, metavar="NAME", help=", ".join(CONTENDERS))
    parser.add_argument("--folder", type=Path, help="where the temporary folder is made (the system's default)")
    parser.add_argument("--json", action="store_true", help="print JSON, with every run")
    arguments = parser.parse_args()
    if arguments.repeats < 1:
        parser.error(f"--repeats is {arguments.repeats}; give 1 or more")
    return arguments


def measure(contenders: Mapping[str, Contender], folder: Path, repeats: int) -> dict[str, Measurement]:
    """Run each contender ``repeats`` times, in turns, after a warm-up run."""
    runs: dict[str, list[Run]] = {name: [] for name in contenders}
    try:
        for repeat in range(repeats + 1):
            for name, contender in contenders.items():
                run = run_chain(contender, folder / name)
                progress(f"{repeat}/{repeats} {contender.title}: {run.seconds:.2f} s")
                if repeat > 0:
                    runs[name].append(run)
    finally:
        for name in contenders:
            stop_server(data_dir(folder / name))
    return {name: Measurement(tuple(found)) for name, found in runs.items()}


def run_chain(contender: Contender, folder: Path) -> Run:
    if contender.fresh:
        stop_server(data_dir(folder))
        shutil.rmtree(folder, ignore_errors=True)
    (folder / "data").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(DATA, folder / "data" / DATA.name)
    run = run_once(contender.commands(folder), folder)
    if contender.fresh:
        stop_server(data_dir(folder))
    return run


def table(contenders: Mapping[str, Contender], measurements: Mapping[str, Measurement]) -> str:
    """Format a Markdown table: medians and, if the bare scripts were measured, ratios with their goals."""
    lines = ["| contender | median | fastest | to the bare scripts | goal | |", "|---|---:|---:|---:|---:|---|"]
    for name, contender in contenders.items():
        found, ratio = measurements[name], ratio_of(name, measurements)
        goal = GOALS.get(name)
        verdict = (
            ["", ""] if goal is None or ratio is None else [f"at most {goal:g}", "met" if ratio <= goal else "missed"]
        )
        fastest = min(run.seconds for run in found.runs)
        cells = [f"{found.seconds:.2f} s", f"{fastest:.2f} s", f"{ratio:.2f}" if ratio else "", *verdict]
        lines.append(f"| {contender.title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def ratio_of(name: str, measurements: Mapping[str, Measurement]) -> float | None:
    floor = measurements.get("bare")
    return measurements[name].seconds / floor.seconds if floor else None


def document(contenders: Mapping[str, Contender], measurements: Mapping[str, Measurement]) -> dict[str, Any]:
    """Return the results of `table` and all runs as JSON values."""
    return {
        "contenders": {
            name: {
                "title": contender.title,
                "seconds": measurements[name].seconds,
                "to_bare": ratio_of(name, measurements),
                "goal": GOALS.get(name),
                "runs": [run.seconds for run in measurements[name].runs],
            }
            for name, contender in contenders.items()
        }
    }


if __name__ == "__main__":
    main()
