"""The files of SM_MODEL_DIR, which SageMaker packs into model.tar.gz."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightgbm as lgb


def write_model(
    booster: lgb.Booster, schema: Mapping[str, Any], metrics: Mapping[str, Any], inference_code: Path, folder: Path
) -> None:
    """Write model.txt, schema.json, metrics.json and code/.

    Args:
        booster: The model; its trees up to the best iteration are saved.
        schema: The content of schema.json.
        metrics: The content of metrics.json.
        inference_code: The folder that becomes code/, so that the archive can be served without repacking.
        folder: SM_MODEL_DIR.
    """
    folder.mkdir(parents=True, exist_ok=True)
    booster.save_model(folder / "model.txt", num_iteration=metrics["best_iteration"])
    for name, content in (("schema.json", schema), ("metrics.json", metrics)):
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        (folder / name).write_text(text, encoding="utf-8")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(inference_code, folder / "code", ignore=ignored, dirs_exist_ok=True)
