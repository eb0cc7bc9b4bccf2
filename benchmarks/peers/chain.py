"""The four steps that every contender runs: this project's own scripts on 3,000 rows of 25 features.

`chain.py STEP FOLDER` runs one step in its own process. Each step reads the outputs of the previous steps from FOLDER.
"""

import json
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "processing_scripts"), str(ROOT / "training_scripts"), str(ROOT)]


def preprocess(folder: str) -> None:
    from preprocess import main

    files = ["--input-dir", str(Path(folder, "data")), "--output-dir", f"{folder}/preprocess"]
    main(["--problem-type", "BinaryClassification", "--target-column", "target", *files])


def train(folder: str) -> None:
    from train import main

    channels = [f"--{name}={folder}/preprocess/{name}" for name in ("train", "validation", "schema")]
    model = Path(folder, "model")
    main(
        [*channels, f"--model_dir={model}", f"--output_data_dir={folder}/output", f"--inference_code={ROOT}/inference"]
    )
    with tarfile.open(f"{folder}/model.tar.gz", "w:gz", compresslevel=6) as archive:
        archive.add(model, ".")


def evaluate(folder: str) -> None:
    from evaluate import main

    main(["--model-dir", folder, "--test-dir", f"{folder}/preprocess/test", "--output-dir", f"{folder}/evaluate"])


def register(folder: str) -> None:
    metrics = json.loads(Path(folder, "evaluate", "evaluation", "evaluation.json").read_text())
    auc = metrics["binary_classification_metrics"]["auc"]["value"]
    if auc < 0.95:
        sys.exit(f"auc is {auc}")
    entry = {"model": f"{folder}/model.tar.gz", "auc": auc, "status": "PendingManualApproval"}
    Path(folder, "registry.json").write_text(json.dumps(entry))


STEPS = {step.__name__: step for step in (preprocess, train, evaluate, register)}

if __name__ == "__main__":
    STEPS[sys.argv[1]](sys.argv[2])
