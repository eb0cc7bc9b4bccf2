"""The local SageMaker's Bayesian search beside optuna, at an equal number of trials, on the seven examples.

    .venv/bin/python -m benchmarks.tuning
    .venv/bin/python -m benchmarks.tuning --only wine diabetes --seeds 5 --trials 30

Each search minimizes the loss on the validation split; LightGBMTuner, optuna's integration of LightGBM, makes 68
trials, in steps, and cannot be given another number.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.environments import CACHE, environment
from examples import EXAMPLES
from pipelines.bundles import preprocess_bundle
from pipelines.preprocess_arguments import preprocess_arguments
from pipelines.training.tune import parameter_range
from project.paths import REPOSITORY
from project.settings import NumberRange, Settings, TuningSettings, load_settings

METHODS = {
    "ours": "local SageMaker",
    "folds": "local SageMaker, by folds",
    "tpe": "optuna TPE",
    "stepwise": "LightGBMTuner",
}
STEPWISE_TRIALS = 68
PEER = REPOSITORY / "benchmarks" / "peers" / "tune_lightgbm.py"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=list(EXAMPLES), choices=list(EXAMPLES))
    parser.add_argument("--searches", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--trials", type=int, default=STEPWISE_TRIALS)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    python = environment("optuna") / "python"
    with tempfile.TemporaryDirectory() as folder:
        print("| example | search | validation loss | worst seed | test loss |\n|---|---|---:|---:|---:|")
        for example in options.only:
            settings = load_settings(REPOSITORY / "examples" / example / "settings.yaml")
            splits = preprocess(settings, Path(folder) / example)
            ranges = json.dumps(parameter_ranges(settings))
            for method in options.searches:
                found = [tune(python, splits, method, options.trials, seed, ranges) for seed in range(options.seeds)]
                losses = [result["validation"] for result in found]
                test = statistics.fmean(result["test"] for result in found)
                cells = [statistics.fmean(losses), max(losses), test]
                print("|", " | ".join([example, METHODS[method], *(f"{cell:.4f}" for cell in cells)]), "|")
                sys.stdout.flush()


def preprocess(settings: Settings, folder: Path) -> Path:
    """Run Preprocess, and return the folder of its outputs."""
    code, data, output = (folder / name for name in ("code", "data", "output"))
    for path, content in preprocess_bundle(settings).files.items():
        (code / path).parent.mkdir(parents=True, exist_ok=True)
        (code / path).write_bytes(content)
    data.mkdir()
    source = Path(settings.data.input or "")
    (data / source.name).write_bytes(source.read_bytes())
    arguments = [*preprocess_arguments(settings), f"--input-dir={data}", f"--output-dir={output}"]
    command = [sys.executable, str(code / "preprocess.py"), *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True)
    return output


def parameter_ranges(settings: Settings) -> dict[str, list[dict[str, Any]]]:
    """Return the default search space, with what the example's settings fix as ranges too: the peers fix nothing."""
    space = TuningSettings().search_space(settings.training.model_validate({}))
    ranges: dict[str, list[dict[str, Any]]] = {}
    for name, item in space.items():
        assert isinstance(item, NumberRange)
        converted = parameter_range(name, item)
        ranges.setdefault(f"{converted.__name__}ParameterRanges", []).append(converted.as_tuning_range(name))
    return ranges


def tune(python: Path, splits: Path, method: str, trials: int, seed: int, ranges: str) -> dict[str, float]:
    command = [str(python), str(PEER), str(splits), method, str(trials), str(seed), ranges]
    env = {**os.environ, "PYTHONPATH": str(REPOSITORY), "XDG_CACHE_HOME": str(CACHE)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    if done.returncode != 0:
        raise RuntimeError(f"{method} failed with exit status {done.returncode}:\n{done.stderr}")
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


if __name__ == "__main__":
    main()
