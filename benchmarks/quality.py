"""Measure the quality analyzer against other tools on generated data, as whole processes.

The data is a table of 1,000,000 rows and 26 columns (22 floats, 2 integers, 1 string of 8 categories, 1 label; 1 %
missing in 3 columns) as CSV and as Parquet, a drifted CSV of 200,000 rows, and 1,000,000 predictions. Each peer runs in
its own environment, which is created on first use in .benchmarks/ (about 1.5 GB in total); the data is in a temporary
folder.

Contenders take turns, so that other load affects all of them alike. The results are medians of the wall-clock times and
of the peak memory, and their ratios. Peers that take half a minute run at most three times.

Examples:
  python -m benchmarks.quality                                     everything but 10,000,000 rows; about 12 minutes
  python -m benchmarks.quality --only floor profile --repeats 9    the analyzer against parsing only; a minute
  python -m benchmarks.quality --only profile profile-parquet --large
                                                                   whether memory is constant for ten times the rows
  python -m benchmarks.quality --json > quality.json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.environments import environment
from benchmarks.measure import Command, Measurement, Run, run_once

ROOT = Path(__file__).parents[1]
PEERS = ROOT / "benchmarks" / "peers"
ROWS, CURRENT_ROWS, LARGE_ROWS = 1_000_000, 200_000, 10_000_000
SLOW_REPEATS = 3
BLOCK_BYTES = 1 << 20
CSV, PARQUET = '{"csv": {"header": true}}', '{"parquet": {}}'


@dataclass(frozen=True)
class Files:
    """Paths of the generated data; the large files exist with --large only."""

    folder: Path

    @property
    def baseline(self) -> str:
        return str(self.folder / "baseline.csv")

    @property
    def baseline_parquet(self) -> str:
        return str(self.folder / "baseline.parquet")

    @property
    def current(self) -> str:
        return str(self.folder / "current.csv")

    @property
    def predictions(self) -> str:
        return str(self.folder / "predictions.csv")

    @property
    def large(self) -> str:
        return str(self.folder / "large.csv")

    @property
    def large_parquet(self) -> str:
        return str(self.folder / "large.parquet")

    def warm_up(self) -> None:
        """Read all files but the large ones, so that they are in the page cache for all contenders."""
        for path in (self.baseline, self.baseline_parquet, self.current, self.predictions):
            with Path(path).open("rb") as file:
                while file.read(BLOCK_BYTES):
                    pass


@dataclass(frozen=True)
class Contender:
    """``commands`` makes the processes that do the work, and installs first what they need.

    A slow contender takes half a minute and more: that varies little, and five such runs take long.
    """

    title: str
    commands: Callable[[Files], Sequence[Command]]
    is_slow: bool = False


@dataclass(frozen=True)
class Ratio:
    """The ratio of two contenders' medians, and its goal."""

    title: str
    of: str
    to: str
    quantity: str
    goal: float
    at_most: bool

    def value(self, measurements: Mapping[str, Measurement]) -> float:
        above, below = (getattr(measurements[name], self.quantity) for name in (self.of, self.to))
        return float(above / below)

    def is_met(self, value: float) -> bool:
        return value <= self.goal if self.at_most else value >= self.goal


def analyzer(**variables: str) -> Command:
    """Make a run of the analyzer by its container contract."""
    common = {"PYTHONPATH": str(ROOT), "dataset_format": CSV, "publish_cloudwatch_metrics": "Disabled"}
    return Command([sys.executable, "-m", "analyzer"], {**common, **variables})


def profile(source: str, dataset_format: str = CSV) -> list[Command]:
    """Make runs that compute statistics and suggest constraints."""
    return [analyzer(dataset_source=source, dataset_format=dataset_format, output_path="baseline")]


def check(files: Files) -> list[Command]:
    """Make runs that create a baseline and check another file against it."""
    statistics, constraints = "baseline/statistics.json", "baseline/constraints.json"
    return [
        *profile(files.baseline),
        analyzer(
            dataset_source=files.current,
            output_path="check",
            baseline_statistics=statistics,
            baseline_constraints=constraints,
        ),
    ]


def model_quality(files: Files) -> list[Command]:
    """Make a run that computes all binary metrics, with standard deviations and curves."""
    return [
        analyzer(
            dataset_source=files.predictions,
            output_path="model-quality",
            analysis_type="MODEL_QUALITY",
            problem_type="BinaryClassification",
            inference_attribute="prediction",
            probability_attribute="probability",
            ground_truth_attribute="label",
        )
    ]


def peer(name: str, script: str, *arguments: str, launcher: str = "python") -> list[Command]:
    """Make a run of a peer's script in the peer's environment."""
    place = environment(name)
    # Spark's launcher uses the first Python in PATH.
    path = f"{place}{os.pathsep}{os.environ['PATH']}"
    return [Command([str(place / launcher), str(PEERS / script), *arguments], {"PATH": path})]


CONTENDERS = {
    "floor": Contender(
        "pyarrow.csv.read_csv alone (the floor)",
        lambda files: [Command([sys.executable, str(PEERS / "arrow_read.py"), files.baseline])],
    ),
    "profile": Contender("ours: profile + constraints", lambda files: profile(files.baseline)),
    "profile-parquet": Contender(
        "ours: profile + constraints, from Parquet", lambda files: profile(files.baseline_parquet, PARQUET)
    ),
    "whylogs": Contender(
        "whylogs 1.6.4: profile",
        lambda files: peer("whylogs", "whylogs_profile.py", files.baseline),
        is_slow=True,
    ),
    "ydata": Contender(
        "ydata-profiling 4.18.4: minimal report",
        lambda files: peer("ydata", "ydata_report.py", files.baseline),
        is_slow=True,
    ),
    # spark-submit replaces itself with the JVM, so that the JVM's memory is measured.
    "spark": Contender(
        "PySpark 4.3.0 local[2]: summary()",
        lambda files: peer("spark", "spark_summary.py", files.baseline, launcher="spark-submit"),
        is_slow=True,
    ),
    "check": Contender("ours: baseline + check of both files", check),
    "evidently": Contender(
        "Evidently 0.7.23: DataDriftPreset of both files",
        lambda files: peer("evidently", "evidently_drift.py", files.baseline, files.current),
        is_slow=True,
    ),
    "model-quality": Contender("ours: model quality, 1,000,000 rows", model_quality),
}
LARGE, LARGE_PARQUET = "profile-large", "profile-large-parquet"
LARGE_CONTENDERS = {
    LARGE: Contender("ours: profile + constraints, 10,000,000 rows", lambda files: profile(files.large)),
    LARGE_PARQUET: Contender(
        "ours: profile + constraints, 10,000,000 rows from Parquet",
        lambda files: profile(files.large_parquet, PARQUET),
    ),
}

RATIOS = (
    Ratio("profile / floor, time", "profile", "floor", "seconds", 2.0, at_most=True),
    Ratio(
        "profile from Parquet / from CSV, processor time",
        "profile-parquet",
        "profile",
        "cpu_seconds",
        0.8,
        at_most=True,
    ),
    Ratio("whylogs / profile, time", "whylogs", "profile", "seconds", 12.0, at_most=False),
    Ratio("ydata-profiling / profile, time", "ydata", "profile", "seconds", 1.0, at_most=False),
    Ratio("Spark / profile, time", "spark", "profile", "seconds", 1.0, at_most=False),
    Ratio("Evidently / check, time", "evidently", "check", "seconds", 25.0, at_most=False),
    Ratio("10,000,000 rows / 1,000,000, memory", LARGE, "profile", "peak_megabytes", 1.1, at_most=True),
    Ratio("10,000,000 rows / 1,000,000, time", LARGE, "profile", "seconds", 10.0, at_most=True),
    Ratio("the same from Parquet, memory", LARGE_PARQUET, "profile-parquet", "peak_megabytes", 1.1, at_most=True),
    Ratio("the same from Parquet, time", LARGE_PARQUET, "profile-parquet", "seconds", 10.0, at_most=True),
)


def main() -> None:
    arguments = parse_arguments()
    contenders = {name: CONTENDERS[name] for name in arguments.only or CONTENDERS}
    if arguments.large:
        contenders |= LARGE_CONTENDERS
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=arguments.folder) as folder:
        files = Files(Path(folder))
        generate(files, arguments.large)
        measurements = measure(contenders, files, arguments.repeats)
    result = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine(), "repeats": arguments.repeats}
    if arguments.json:
        print(json.dumps(result | document(contenders, measurements), indent=2))
    else:
        print(f"{result['date']}, {result['machine']}, medians of {arguments.repeats}\n")
        print(table(contenders, measurements))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5, help="runs of each contender (5)")
    parser.add_argument("--only", nargs="+", choices=CONTENDERS, metavar="NAME", help=", ".join(CONTENDERS))
    parser.add_argument("--large", action="store_true", help="10,000,000 rows, too: needs 8 GB of disk")
    parser.add_argument("--folder", type=Path, help="where the temporary folder is made (the system's default)")
    parser.add_argument("--json", action="store_true", help="print JSON, with every run")
    arguments = parser.parse_args()
    if arguments.repeats < 1:
        parser.error(f"--repeats is {arguments.repeats}; give 1 or more")
    return arguments


def generate(files: Files, large: bool) -> None:
    """Generate the data in separate processes, see benchmarks/quality_data.py."""
    wanted = [
        ("features", files.baseline, ROWS, 1),
        ("features", files.baseline_parquet, ROWS, 1),
        ("drifted", files.current, CURRENT_ROWS, 2),
        ("predictions", files.predictions, ROWS, 3),
    ]
    if large:
        wanted += [("features", path, LARGE_ROWS, 1) for path in (files.large, files.large_parquet)]
    for kind, path, rows, seed in wanted:
        progress(f"generating {rows:,} rows of {kind}")
        options = ["--rows", str(rows), "--seed", str(seed)]
        command = Command(
            [sys.executable, "-m", "benchmarks.quality_data", kind, path, *options], {"PYTHONPATH": str(ROOT)}
        )
        run_once([command], files.folder)


def measure(contenders: Mapping[str, Contender], files: Files, repeats: int) -> dict[str, Measurement]:
    """Run each contender ``repeats`` times, in turns."""
    commands = {name: contender.commands(files) for name, contender in contenders.items()}
    runs: dict[str, list[Run]] = {name: [] for name in contenders}
    for repeat in range(repeats):
        for name, contender in contenders.items():
            if contender.is_slow and repeat >= SLOW_REPEATS:
                continue
            files.warm_up()
            run = run_once(commands[name], files.folder)
            runs[name].append(run)
            progress(f"{repeat + 1}/{repeats} {contender.title}: {run.seconds:.2f} s, {run.peak_bytes / 1e6:.0f} MB")
    return {name: Measurement(tuple(found)) for name, found in runs.items()}


def table(contenders: Mapping[str, Contender], measurements: Mapping[str, Measurement]) -> str:
    """Format two Markdown tables: medians, and ratios with their goals."""
    floor = measurements.get("floor")
    lines = ["| contender | time | to the floor | processor time | peak memory |", "|---|---:|---:|---:|---:|"]
    for name, contender in contenders.items():
        found = measurements[name]
        to_floor = f"{found.seconds / floor.seconds:.2f}" if floor else ""
        lines.append(
            f"| {contender.title} | {found.seconds:.2f} s | {to_floor} | {found.cpu_seconds:.2f} s "
            f"| {found.peak_megabytes:.0f} MB |"
        )
    lines += ["", "| ratio | measured | goal | |", "|---|---:|---:|---|"]
    for ratio, value in ratios(measurements):
        goal = f"at {'most' if ratio.at_most else 'least'} {ratio.goal:g}"
        lines.append(f"| {ratio.title} | {value:.2f} | {goal} | {'met' if ratio.is_met(value) else 'missed'} |")
    return "\n".join(lines)


def document(contenders: Mapping[str, Contender], measurements: Mapping[str, Measurement]) -> dict[str, Any]:
    """Return the results of `table` and all runs as JSON values."""
    return {
        "contenders": {
            name: {
                "title": contender.title,
                "seconds": measurements[name].seconds,
                "cpu_seconds": measurements[name].cpu_seconds,
                "peak_megabytes": measurements[name].peak_megabytes,
                "runs": [vars(run) for run in measurements[name].runs],
            }
            for name, contender in contenders.items()
        },
        "ratios": [
            {"title": ratio.title, "value": value, "goal": ratio.goal, "is_met": ratio.is_met(value)}
            for ratio, value in ratios(measurements)
        ],
    }


def ratios(measurements: Mapping[str, Measurement]) -> list[tuple[Ratio, float]]:
    """Return the ratios whose contenders were both measured."""
    return [(ratio, ratio.value(measurements)) for ratio in RATIOS if {ratio.of, ratio.to} <= measurements.keys()]


def machine() -> str:
    """Describe the machine: cores, architecture and memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores ({platform.machine()}), {memory:.0f} GB, Python {platform.python_version()}"


def progress(text: str) -> None:
    """Print progress to standard error."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
