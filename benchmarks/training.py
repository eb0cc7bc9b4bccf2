"""Measure the steps of the training pipeline against a bare LightGBM script and other tools, as whole processes.

The data is a CSV of 26 columns (14 decimals, 5 counts, 5 texts of 2 to 200 categories, an ID, a binary target). The
scripts run as the pipeline's containers run them, one after the other on local folders; what SageMaker does between
steps, such as packing the model, is not measured. Every contender but the floor of Preprocess reads the CSV and ends
with a model and its metrics on a test split of 20 %, after the same number of rounds. Contenders take turns; the
results are medians.

Examples:
  python -m benchmarks.training                                  100,000 and 1,000,000 rows; about 15 minutes
  python -m benchmarks.training --rows 10000000 --repeats 1      about 30 minutes, 6 GB of memory for the bare script
  python -m benchmarks.training --rows 100000 --only bare ours --json
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.environments import environment
from benchmarks.measure import Command, Run, run_once
from benchmarks.quality import machine, progress

ROOT = Path(__file__).parents[1]
PEERS = ROOT / "benchmarks" / "peers"
ROWS = (100_000, 1_000_000)
ROUNDS = 200

Parts = dict[str, Run]


@dataclass(frozen=True)
class Contender:
    """A way from a CSV to a model and its metrics. ``run`` returns its parts, by name, measured in an empty folder."""

    title: str
    run: Callable[[Path, Path], Parts]


def peer(script: str, packages: str | None = None) -> Callable[[Path, Path], Parts]:
    """Make a contender of a script in benchmarks/peers/, with packages of its own or those of the project."""

    def run(data: Path, folder: Path) -> Parts:
        python = environment(packages) / "python" if packages else sys.executable
        return {"whole": run_once([Command([str(python), str(PEERS / script), str(data), str(ROUNDS)])], folder)}

    return run


def steps(data: Path, folder: Path) -> Parts:
    """Run the scripts of the training pipeline, as their containers do."""
    (folder / "input").mkdir()
    (folder / "input" / "data.csv").symlink_to(data)
    variables = {"PYTHONPATH": str(ROOT)}

    def script(path: str, **options: Any) -> Run:
        arguments = [str(item) for name, value in options.items() for item in (f"--{name}", value)]
        return run_once([Command([sys.executable, str(ROOT / path), *arguments], variables)], folder)

    target = {"problem-type": "BinaryClassification", "target-column": "target", "drop-columns": "customer_id"}
    parts = {
        "Preprocess": script(
            "processing_scripts/preprocess.py",
            **target,
            **{"input-dir": "input", "output-dir": "splits", "baseline-format": "parquet"},
        ),
        "Train": script(
            "training_scripts/train.py",
            **{name: f"splits/{name}" for name in ("train", "validation", "schema")},
            model_dir="model",
            output_data_dir="curve",
            inference_code=ROOT / "inference",
            num_boost_round=ROUNDS,
        ),
    }
    with tarfile.open(folder / "model.tar.gz", "w:gz") as archive:
        archive.add(folder / "model", ".")
    parts["Evaluate"] = script(
        "processing_scripts/evaluate.py",
        **{"model-dir": ".", "test-dir": "splits/test", "validation-dir": "splits/report", "output-dir": "evaluation"},
    )
    baseline = {
        "dataset_source": "splits/baseline",
        "dataset_format": '{"parquet": {}}',
        "output_path": "baseline",
        "publish_cloudwatch_metrics": "Disabled",
    }
    parts["DataQualityBaseline"] = run_once([Command([sys.executable, "-m", "analyzer"], variables | baseline)], folder)
    return parts


CONTENDERS = {
    "bare": Contender("bare script: LightGBM", peer("train_bare.py")),
    "ours": Contender("ours: the steps of the pipeline", steps),
    "arrow": Contender("pyarrow: read the CSV, write Parquet (the floor of Preprocess)", peer("read_write.py")),
    "histogram": Contender("scikit-learn: HistGradientBoosting", peer("train_histogram.py")),
    "flaml": Contender("FLAML: LightGBM alone, one configuration", peer("train_flaml.py", "flaml")),
}


@dataclass(frozen=True)
class Row:
    """A line of the result table, medians over the runs."""

    rows: int
    contender: str
    part: str
    seconds: float
    cpu_seconds: float
    peak_megabytes: float


def main() -> None:
    arguments = parse_arguments()
    found: list[Row] = []
    for rows in arguments.rows:
        with tempfile.TemporaryDirectory(prefix="benchmark-", dir=arguments.folder) as folder:
            found += measure(rows, arguments.only or [*CONTENDERS], arguments.repeats, Path(folder))
    result = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine(), "repeats": arguments.repeats}
    if arguments.json:
        print(json.dumps(result | {"rounds": ROUNDS, "results": [vars(row) for row in found]}, indent=2))
    else:
        print(f"{result['date']}, {result['machine']}, medians of {arguments.repeats}, {ROUNDS} rounds\n")
        print(table(found))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS, help="sizes of the table (100000 1000000)")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each contender (3)")
    parser.add_argument("--only", nargs="+", choices=CONTENDERS, metavar="NAME", help=", ".join(CONTENDERS))
    parser.add_argument("--folder", type=Path, help="where the temporary folder is made (the system's default)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    if arguments.repeats < 1 or min(arguments.rows) < 1000:
        parser.error("give --repeats of 1 or more, and --rows of 1000 or more")
    return arguments


def measure(rows: int, names: Sequence[str], repeats: int, folder: Path) -> Iterator[Row]:
    """Run the contenders in turns on a table of so many rows."""
    data = folder / "data.csv"
    progress(f"generating {rows:,} rows")
    generate = [sys.executable, "-m", "benchmarks.training_data", str(data), "--rows", str(rows)]
    run_once([Command(generate, {"PYTHONPATH": str(ROOT)})], folder)
    runs: dict[str, list[Parts]] = {name: [] for name in names}
    for repeat in range(repeats):
        for name in names:
            place = folder / name
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            parts = CONTENDERS[name].run(data, place)
            seconds = ", ".join(f"{part} {run.seconds:.1f} s" for part, run in parts.items())
            progress(f"{repeat + 1}/{repeats} {CONTENDERS[name].title}: {seconds}")
            runs[name].append(parts)
    for name in names:
        whole = [{"all steps": together(parts)} | (parts if len(parts) > 1 else {}) for parts in runs[name]]
        for part in whole[0]:
            yield Row(
                rows,
                name,
                part,
                statistics.median(run[part].seconds for run in whole),
                statistics.median(run[part].cpu_seconds for run in whole),
                statistics.median(run[part].peak_bytes for run in whole) / 1e6,
            )


def together(parts: Mapping[str, Run]) -> Run:
    """Add the times of runs, and take the highest of their peaks."""
    return Run(
        sum(run.seconds for run in parts.values()),
        sum(run.cpu_seconds for run in parts.values()),
        max(run.peak_bytes for run in parts.values()),
    )


def table(found: Sequence[Row]) -> str:
    """Format the results as a Markdown table, with times as ratios to the bare script of the same size."""
    bare = {row.rows: row.seconds for row in found if row.contender == "bare"}
    lines = [
        "| rows | contender | time | to the bare script | processor time | peak memory |",
        "|---:|---|---:|---:|---:|---:|",
    ]
    for row in found:
        title = CONTENDERS[row.contender].title if row.part == "all steps" else f"— {row.part}"
        ratio = f"{row.seconds / bare[row.rows]:.2f}" if row.rows in bare else ""
        lines.append(
            f"| {row.rows:,} | {title} | {row.seconds:.1f} s | {ratio} | {row.cpu_seconds:.1f} s "
            f"| {row.peak_megabytes:.0f} MB |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
