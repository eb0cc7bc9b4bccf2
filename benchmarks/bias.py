"""Measure bias metrics as whole processes: `python -m analyzer clarify` beside Clarify's open-source library.

The data is a table of 1,000,000 rows and 19 columns with predictions. All pre- and post-training metrics but the flip
test are computed of four facets (two values, a threshold of whole numbers, one of fractions, and each of eight values:
eleven groups in all) with a group variable of four values; ours with standard errors and 95 % intervals, and a report.
The library computes no intervals; it takes so long that it reads a tenth of the rows, once.

The flip test is measured by itself: of 400,000 women among 600,000 men, with 3 features, where an index finds the
neighbours of all of them, and with 12, where a sample represents them.

Examples:
  python -m benchmarks.bias                                     everything; about 5 minutes on 2 quiet cores
  python -m benchmarks.bias --only parquet csv --repeats 5
  python -m benchmarks.bias --json > bias.json
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.environments import environment
from benchmarks.measure import Command, Measurement, Run, run_once
from benchmarks.quality import machine, progress

ROOT = Path(__file__).parents[1]
ROWS, SMALL_ROWS = 1_000_000, 100_000
MAX_SECONDS, MAX_MEGABYTES = 3.0, 450.0
QUANTITIES = ("seconds", "cpu_seconds", "peak_megabytes")


@dataclass(frozen=True)
class Contender:
    """A contender; ``command`` makes the process for a folder of data. A slow one runs once."""

    title: str
    command: Callable[[Path], Command]
    rows: int = ROWS
    is_slow: bool = False
    has_goal: bool = False


def clarify(config: str, dataset: str) -> Callable[[Path], Command]:
    """Return a function that makes a run of the analyzer's command."""

    def command(folder: Path) -> Command:
        arguments = ["--config", str(folder / config), "--dataset", str(folder / dataset), "--output", "results"]
        return Command([sys.executable, "-m", "analyzer", "clarify", *arguments], {"PYTHONPATH": str(ROOT)})

    return command


def smclarify(folder: Path) -> Command:
    """Make a run of Clarify's library in an environment of its own."""
    script = ROOT / "benchmarks" / "peers" / "bias_smclarify.py"
    return Command([str(environment("smclarify") / "python"), str(script), str(folder)])


CONTENDERS = {
    "parquet": Contender("ours, from Parquet", clarify("parquet.json", "table.parquet"), has_goal=True),
    "csv": Contender("ours, from CSV", clarify("csv.json", "table.csv"), has_goal=True),
    "parquet-small": Contender("ours, from Parquet", clarify("parquet.json", "table.parquet"), rows=SMALL_ROWS),
    "smclarify": Contender("smclarify 0.5, from Parquet", smclarify, rows=SMALL_ROWS, is_slow=True),
    "flip-few": Contender("ours: flip test, 3 features", clarify("flip.json", "few.parquet"), is_slow=True),
    "flip-many": Contender("ours: flip test, 12 features", clarify("flip.json", "many.parquet"), is_slow=True),
}


def main() -> None:
    arguments = parse_arguments()
    contenders = {name: CONTENDERS[name] for name in arguments.only or CONTENDERS}
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folders = {rows: Path(name) / str(rows) for rows in {contender.rows for contender in contenders.values()}}
        for rows, folder in folders.items():
            folder.mkdir()
            progress(f"generating {rows:,} rows")
            data = [sys.executable, "-m", "benchmarks.bias_data", str(folder), "--rows", str(rows)]
            run_once([Command(data, {"PYTHONPATH": str(ROOT)})], folder)
        measurements = measure(contenders, folders, arguments.repeats)
    about = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine(), "repeats": arguments.repeats}
    if arguments.json:
        results = {name: {of: getattr(found, of) for of in QUANTITIES} for name, found in measurements.items()}
        print(json.dumps(about | {"contenders": results}, indent=2))
    else:
        print(f"{about['date']}, {about['machine']}, medians of {arguments.repeats}; slow ones once\n")
        print(table(contenders, measurements))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.bias", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3, help="runs of each contender (3)")
    parser.add_argument("--only", nargs="+", choices=CONTENDERS, metavar="NAME", help=", ".join(CONTENDERS))
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    if arguments.repeats < 1:
        parser.error(f"--repeats is {arguments.repeats}; give 1 or more")
    return arguments


def measure(contenders: Mapping[str, Contender], folders: Mapping[int, Path], repeats: int) -> dict[str, Measurement]:
    """Run each contender ``repeats`` times, in turns."""
    commands = {name: contender.command(folders[contender.rows]) for name, contender in contenders.items()}
    runs: dict[str, list[Run]] = {name: [] for name in contenders}
    for repeat in range(repeats):
        for name, contender in contenders.items():
            if contender.is_slow and repeat:
                continue
            run = run_once([commands[name]], folders[contender.rows])
            runs[name].append(run)
            progress(f"{repeat + 1}/{repeats} {contender.title}: {run.seconds:.2f} s, {run.peak_bytes / 1e6:.0f} MB")
    return {name: Measurement(tuple(found)) for name, found in runs.items()}


def table(contenders: Mapping[str, Contender], measurements: Mapping[str, Measurement]) -> str:
    """Format the medians as a Markdown table, with the goal of 1,000,000 rows."""
    lines = ["| contender | rows | time | processor time | peak memory | goal |", "|---|---:|---:|---:|---:|---|"]
    for name, contender in contenders.items():
        found = measurements[name]
        is_met = found.seconds <= MAX_SECONDS and found.peak_megabytes <= MAX_MEGABYTES
        goal = f"{MAX_SECONDS:g} s, {MAX_MEGABYTES:g} MB: {'met' if is_met else 'missed'}"
        lines.append(
            f"| {contender.title} | {contender.rows:,} | {found.seconds:.2f} s | {found.cpu_seconds:.2f} s "
            f"| {found.peak_megabytes:.0f} MB | {goal if contender.has_goal else ''} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
