"""The text of a settings file, with the reason for each guess beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from pipelines.new_project.guesses import Guesses

# A first threshold that any useful model passes: it is for the user to raise.
FIRST_GATE = {
    "BinaryClassification": ("auc", 0.6, "0.5 is guessing"),
    "MulticlassClassification": ("accuracy", 0.5, "compare it with the share of the most frequent class"),
    "Regression": ("r2", 0.1, "0 is as good as the mean"),
}


def settings_text(name: str, location: str, guesses: Guesses) -> str:
    """Write the settings as YAML; it is valid, and its comments say what was guessed."""
    metric, threshold, meaning = FIRST_GATE[guesses.problem_type]
    lines = [
        "# Written by `python -m pipelines init` from the first rows; the comments say why. Check them, and then the",
        "# data with `python -m pipelines check-data`.",
        f"name: {name}",
        f"problem_type: {guesses.problem_type} # {guesses.reasons['problem_type']}",
        "data:",
        f"  input: {_flow(location)}",
        f"  target_column: {_flow(guesses.target)} # {guesses.reasons['target_column']}",
    ]
    for key, value in guesses.data.items():
        if reason := guesses.reasons.get(key):
            lines.append(f"  {key}: {_flow(value)} # {reason}")
            continue
        lines.append(f"  {key}:")
        items = value.items() if isinstance(value, dict) else ((name, None) for name in value)
        for name, content in items:
            item = f"- {_flow(name)}" if content is None else f"{_flow(name)}: {_flow(content)}"
            lines.append(f"    {item} # {guesses.reasons[key, name]}")
    lines += [
        "quality:",
        f"  metric: {metric} # on the test split",
        f"  threshold: {threshold} # {meaning}; raise it to what the use of the model needs",
        "# monitoring: {label_delay_minutes: 0} # how long labels take to arrive; 60 by default",
    ]
    return "\n".join(lines) + "\n"


def _flow(value: Any) -> str:
    """Write a value in YAML's flow style on one line."""
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, sort_keys=False, width=10**6)
    return text.removesuffix("\n").removesuffix("\n...")


def project_name(path: Path) -> str:
    """Derive a project's name from a file or folder: letters, digits and single hyphens."""
    stem = path.resolve().parent.name if path.stem == "data" else path.stem
    words = "".join(character if character.isascii() and character.isalnum() else " " for character in stem)
    return "-".join(words.split())[:63].strip("-") or "my-model"
