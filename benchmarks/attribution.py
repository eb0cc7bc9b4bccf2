"""Measure SHAP values: exact ones of a model archive against LightGBM's own, and Kernel SHAP against the package shap.

The model is that of benchmarks.inference: binary, 200 trees of 31 leaves, 25 features. Exact values: whole processes
that read the records from Parquet and print the mean absolute SHAP value of each feature. Ours also unpacks the
archive, reads the records as the endpoint does, and predicts them. Kernel SHAP: processes that explain 100 records of
that model with 5 rows of baseline and the default number of samples, and 200 records of a function of 12 features with
15 samples, as AWS's examples configure, of which all 4,094 give the exact values.

Contenders take turns, and the results are medians.

Examples:
  python -m benchmarks.attribution                            100,000 rows; about 6 minutes on 2 quiet cores
  python -m benchmarks.attribution --rows 1000000 --repeats 1
  python -m benchmarks.attribution --only lightgbm ours --json
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.environments import environment
from benchmarks.measure import Command, Measurement, run_once
from benchmarks.quality import machine, progress

ROOT = Path(__file__).parents[1]
PEERS = ROOT / "benchmarks" / "peers"
VARIABLES = {"PYTHONPATH": str(ROOT), "OMP_WAIT_POLICY": "PASSIVE"}
LARGEST_RATIO = 1.1


@dataclass(frozen=True)
class Contender:
    """A contender; ``python`` returns the interpreter of its environment, which is created if necessary."""

    title: str
    script: str
    python: Callable[[], str] = lambda: sys.executable

    def command(self, folder: Path) -> Command:
        return Command([self.python(), str(PEERS / self.script), str(folder)], VARIABLES)


EXACT = {
    "lightgbm": Contender("LightGBM: pred_contrib (the floor)", "contributions_lightgbm.py"),
    "ours": Contender("ours: a model archive by its own code", "contributions_archive.py"),
}
KERNEL = {
    "kernel": Contender("ours: Kernel SHAP", "kernel_ours.py"),
    "shap": Contender(
        "shap 0.51.0: KernelExplainer", "kernel_shap_package.py", lambda: str(environment("shap") / "python")
    ),
}


def main() -> None:
    arguments = parse_arguments()
    names = arguments.only or [*EXACT, *KERNEL]
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        progress(f"training the model, generating {arguments.rows:,} rows")
        data = [sys.executable, "-m", "benchmarks.attribution_data", name, str(arguments.rows)]
        run_once([Command(data, {"PYTHONPATH": str(ROOT)})], folder)
        exact, difference = measure_exact({key: EXACT[key] for key in names if key in EXACT}, folder, arguments.repeats)
        kernel = measure_kernel({key: KERNEL[key] for key in names if key in KERNEL}, folder, arguments.repeats)
    about = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine(), "repeats": arguments.repeats}
    if arguments.json:
        results = {name: measured(measurement) for name, measurement in exact.items()}
        content = {"rows": arguments.rows, "exact": results, "largest_difference": difference, "kernel": kernel}
        print(json.dumps(about | content, indent=2))
    else:
        print(f"{about['date']}, {about['machine']}, medians of {arguments.repeats}, {arguments.rows:,} rows\n")
        print(exact_table(exact, difference))
        print(kernel_table(kernel))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.attribution",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    contenders = EXACT | KERNEL
    parser.add_argument("--rows", type=int, default=100_000, help="rows that get exact values (100000)")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each contender (3)")
    parser.add_argument("--only", nargs="+", choices=contenders, metavar="NAME", help=", ".join(contenders))
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    if arguments.repeats < 1 or arguments.rows < 1000:
        parser.error("give --repeats of 1 or more, and --rows of 1000 or more")
    return arguments


def measure_exact(
    contenders: Mapping[str, Contender], folder: Path, repeats: int
) -> tuple[dict[str, Measurement], float]:
    """Run the contenders in turns; returns their times and the largest difference between their results."""
    runs: dict[str, list[Any]] = {name: [] for name in contenders}
    results = {}
    for repeat in range(repeats):
        for name, contender in contenders.items():
            runs[name].append(run_once([contender.command(folder)], folder))
            results[name] = last_line(folder)
            progress(f"{repeat + 1}/{repeats} {contender.title}: {runs[name][-1].seconds:.1f} s")
    values = np.array([*results.values()])
    difference = float(np.ptp(values, axis=0).max()) if len(values) else 0.0
    return {name: Measurement(tuple(of_name)) for name, of_name in runs.items()}, difference


def measure_kernel(contenders: Mapping[str, Contender], folder: Path, repeats: int) -> dict[str, dict[str, float]]:
    """Let the contenders measure themselves in turns; returns the median of each quantity."""
    turns: dict[str, list[dict[str, float]]] = {name: [] for name in contenders}
    for repeat in range(repeats):
        for name, contender in contenders.items():
            run = run_once([contender.command(folder)], folder)
            turns[name].append(last_line(folder) | {"peak_megabytes": run.peak_bytes / 1e6})
            progress(
                f"{repeat + 1}/{repeats} {contender.title}: {turns[name][-1]['record_milliseconds']:.1f} ms a record"
            )
    return {
        name: {quantity: statistics.median(turn[quantity] for turn in of_name) for quantity in of_name[0]}
        for name, of_name in turns.items()
    }


def last_line(folder: Path) -> Any:
    return json.loads((folder / "output.log").read_text(encoding="utf-8").splitlines()[-1])


def measured(measurement: Measurement) -> dict[str, float]:
    return {name: getattr(measurement, name) for name in ("seconds", "cpu_seconds", "peak_megabytes")}


def exact_table(exact: Mapping[str, Measurement], difference: float) -> str:
    """Format the exact contenders as a Markdown table, with times as ratios to LightGBM's."""
    lines = [
        "| contender | time | to LightGBM | processor time | to LightGBM | peak memory |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    floor = exact.get("lightgbm")
    for name, found in exact.items():
        ratio = f"{found.seconds / floor.seconds:.3f}" if floor else ""
        cpu_ratio = f"{found.cpu_seconds / floor.cpu_seconds:.3f}" if floor else ""
        lines.append(
            f"| {EXACT[name].title} | {found.seconds:.1f} s | {ratio} | {found.cpu_seconds:.1f} s | {cpu_ratio} "
            f"| {found.peak_megabytes:.0f} MB |"
        )
    if floor and "ours" in exact:
        is_met = exact["ours"].seconds <= LARGEST_RATIO * floor.seconds
        lines.append(
            f"\nGoal: at most {LARGEST_RATIO} x LightGBM's time, {'met' if is_met else 'missed'}. "
            f"Largest difference between the results: {difference:.1e}"
        )
    return "\n".join(lines) + "\n"


def kernel_table(kernel: Mapping[str, Mapping[str, float]]) -> str:
    lines = [
        "| contender | imports | a record | peak memory | median error of 15 samples | largest error |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, found in kernel.items():
        lines.append(
            f"| {KERNEL[name].title} | {found['start_seconds']:.1f} s | {found['record_milliseconds']:.1f} ms "
            f"| {found['peak_megabytes']:.0f} MB | {found['median_error']:.3f} | {found['largest_error']:.3g} |"
        )
    largest = [found["largest_value"] for found in kernel.values()]
    return "\n".join(lines) + (f"\n\nThe largest exact value is {max(largest):.2f}.\n" if largest else "")


if __name__ == "__main__":
    main()
