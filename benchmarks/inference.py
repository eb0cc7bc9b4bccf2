"""Measure inference.py against other implementations: single records, batches and cold starts.

The model is a binary LightGBM model with 200 trees of 31 leaves and 25 features. The requests are 1,000 distinct
records as JSON, and the same records as one CSV body. Each contender is a process (benchmarks/peers/serve_*.py) that
measures the time from a request's bytes to the response's text: medians of 5,000 records and of 200 bodies. A cold
start is the time and the memory of a process that serves one record, including interpreter start and imports.

Contenders take turns, and the result is the median over the turns.

Examples:
  python -m benchmarks.inference                         everything; about 3 minutes (lleaves: 150 MB at first)
  python -m benchmarks.inference --only handler c-api --repeats 5
  python -m benchmarks.inference --json > inference.json
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.environments import environment
from benchmarks.measure import Command, run_once
from benchmarks.quality import machine, progress

ROOT = Path(__file__).parents[1]
PEERS = ROOT / "benchmarks" / "peers"
COLD_STARTS = 5


@dataclass(frozen=True)
class Contender:
    """A contender; ``python`` returns the interpreter of its environment, which is created if necessary."""

    title: str
    script: str
    python: Callable[[], str] = lambda: sys.executable

    def command(self, folder: Path, *arguments: str) -> Command:
        return Command([self.python(), str(PEERS / self.script), str(folder), *arguments])


@dataclass(frozen=True)
class Result:
    """Medians; ``largest_difference`` is the largest one from Booster.predict in all turns."""

    record_microseconds: float
    rows_per_second: float
    cold_seconds: float
    cold_megabytes: float
    largest_difference: float


@dataclass(frozen=True)
class Goal:
    """A goal for one of the handler's results."""

    title: str
    quantity: str
    limit: float
    at_most: bool = True

    def is_met(self, value: float) -> bool:
        return value <= self.limit if self.at_most else value >= self.limit


CONTENDERS = {
    "handler": Contender("ours: input_fn, predict_fn, output_fn", "serve_handler.py"),
    "dataframe": Contender("json, DataFrame, Booster.predict", "serve_dataframe.py"),
    "c-api": Contender("json, LightGBM's single-row C API", "serve_c_api.py"),
    "lleaves": Contender("json, lleaves 1.3.0", "serve_lleaves.py", lambda: str(environment("lleaves") / "python")),
}
GOALS = (
    Goal("one JSON record, µs", "record_microseconds", 35),
    Goal("1,000 CSV rows, rows a second", "rows_per_second", 250_000, at_most=False),
    Goal("cold start, s", "cold_seconds", 0.1),
    Goal("difference from Booster.predict", "largest_difference", 1e-12),
)


def main() -> None:
    arguments = parse_arguments()
    contenders = {name: CONTENDERS[name] for name in arguments.only or CONTENDERS}
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        progress("training the model")
        run_once(
            [Command([sys.executable, "-m", "benchmarks.inference_data", name], {"PYTHONPATH": str(ROOT)})], folder
        )
        results = measure(contenders, folder, arguments.repeats)
    about = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine(), "repeats": arguments.repeats}
    if arguments.json:
        named = {name: vars(result) for name, result in results.items()}
        print(json.dumps(about | {"contenders": named, "goals": [vars(goal) for goal in GOALS]}, indent=2))
    else:
        print(f"{about['date']}, {about['machine']}, medians of {arguments.repeats}\n")
        print(table(contenders, results))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.inference", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3, help="turns of each contender (3)")
    parser.add_argument("--only", nargs="+", choices=CONTENDERS, metavar="NAME", help=", ".join(CONTENDERS))
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    if arguments.repeats < 1:
        parser.error(f"--repeats is {arguments.repeats}; give 1 or more")
    return arguments


def measure(contenders: Mapping[str, Contender], folder: Path, repeats: int) -> dict[str, Result]:
    """Let each contender measure itself ``repeats`` times, in turns, and measure cold starts."""
    turns: dict[str, list[Result]] = {name: [] for name in contenders}
    for turn in range(repeats):
        for name, contender in contenders.items():
            run_once([contender.command(folder)], folder)
            measured = json.loads((folder / "output.log").read_text(encoding="utf-8").splitlines()[-1])
            starts = [run_once([contender.command(folder, "cold")], folder) for _ in range(COLD_STARTS)]
            result = Result(
                **measured,
                cold_seconds=statistics.median(start.seconds for start in starts),
                cold_megabytes=statistics.median(start.peak_bytes for start in starts) / 1e6,
            )
            turns[name].append(result)
            progress(f"{turn + 1}/{repeats} {contender.title}: {result.record_microseconds:.1f} µs a record")
    return {name: median(results) for name, results in turns.items()}


def median(results: Sequence[Result]) -> Result:
    def of(quantity: str) -> float:
        return statistics.median(getattr(result, quantity) for result in results)

    return Result(
        record_microseconds=of("record_microseconds"),
        rows_per_second=of("rows_per_second"),
        cold_seconds=of("cold_seconds"),
        cold_megabytes=of("cold_megabytes"),
        largest_difference=max(result.largest_difference for result in results),
    )


def table(contenders: Mapping[str, Contender], results: Mapping[str, Result]) -> str:
    """Format two Markdown tables: medians with their ratios to the handler's, and the handler's goals."""
    ours = results.get("handler")

    def with_ratio(text: str, ratio: float | None) -> str:
        return f"{text} ({ratio:.2f})" if ratio is not None else text

    def row(contender: Contender, result: Result) -> str:
        cells: list[tuple[str, Any]] = [
            (f"{result.record_microseconds:.1f} µs", ours and result.record_microseconds / ours.record_microseconds),
            (f"{result.rows_per_second:,.0f}", ours and result.rows_per_second / ours.rows_per_second),
            (f"{result.cold_seconds:.2f} s", ours and result.cold_seconds / ours.cold_seconds),
            (f"{result.cold_megabytes:.0f} MB", ours and result.cold_megabytes / ours.cold_megabytes),
        ]
        return f"| {contender.title} | {' | '.join(with_ratio(*cell) for cell in cells)} |"

    lines = [
        "| contender (ratio to ours) | one record | rows a second | cold start | its memory |",
        "|---|---:|---:|---:|---:|",
    ]
    lines += [row(contender, results[name]) for name, contender in contenders.items()]
    if ours is not None:
        lines += ["", "| ours | measured | goal | |", "|---|---:|---:|---|"]
        for goal in GOALS:
            value = getattr(ours, goal.quantity)
            limit = f"at {'most' if goal.at_most else 'least'} {goal.limit:,g}"
            lines.append(f"| {goal.title} | {value:,.3g} | {limit} | {'met' if goal.is_met(value) else 'missed'} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
