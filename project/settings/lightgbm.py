"""LightGBM's parameters: names, aliases, types and ranges, and those that a training job cannot set.

`project` does not import LightGBM. lightgbm_parameters.json is written from the installed LightGBM by
`python tests/project/lightgbm_parameters.py`, to be run after an update; a test compares the two.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

Type = Literal["int", "double", "bool", "string", "ints", "doubles"]


@dataclass(frozen=True)
class LightGBMParameter:
    """A parameter of LightGBM.

    Attributes:
        name: Its own name.
        aliases: Its other names.
        type: What it takes; ints and doubles are lists.
        minimum: The smallest value, or what all values exceed if `excludes_minimum`.
        maximum: The largest value, or what exceeds all values if `excludes_maximum`.
    """

    name: str
    aliases: tuple[str, ...]
    type: Type
    minimum: float = -math.inf
    maximum: float = math.inf
    excludes_minimum: bool = False
    excludes_maximum: bool = False

    @classmethod
    def read(cls, name: str, entry: Mapping[str, Any]) -> LightGBMParameter:
        return cls(
            name=name,
            aliases=tuple(entry["aliases"]),
            type=entry["type"],
            minimum=entry.get("exclusiveMinimum", entry.get("minimum", -math.inf)),
            maximum=entry.get("exclusiveMaximum", entry.get("maximum", math.inf)),
            excludes_minimum="exclusiveMinimum" in entry,
            excludes_maximum="exclusiveMaximum" in entry,
        )

    def check(self, value: Any) -> Any:
        """Return a value as LightGBM takes it.

        Raises:
            ValueError: The value has another type, or is out of range.
        """
        if self.type in ("int", "double"):
            return self._number(value)
        if self.type == "bool":
            if not isinstance(value, bool):
                raise ValueError(f"{self.name} is {value!r}; it must be true or false")
        elif self.type in ("ints", "doubles"):
            return self._numbers(value)
        elif not isinstance(value, str):
            raise ValueError(f"{self.name} is {value!r}; it must be a text")
        return value

    def _number(self, value: Any) -> float:
        # YAML reads 1e-3 as a text
        try:
            number = float("" if isinstance(value, bool) else value)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number) or (self.type == "int" and not number.is_integer()):
            raise ValueError(
                f"{self.name} is {value!r}; it must be {'an integer' if self.type == 'int' else 'a number'}"
            )
        too_small = number <= self.minimum if self.excludes_minimum else number < self.minimum
        too_large = number >= self.maximum if self.excludes_maximum else number > self.maximum
        if too_small or too_large:
            raise ValueError(f"{self.name} is {value!r}; it must be {self.range}")
        return int(number) if self.type == "int" else number

    def _numbers(self, value: Any) -> list[float]:
        def is_number(item: Any) -> bool:
            allowed = int if self.type == "ints" else (int, float)
            return isinstance(item, allowed) and not isinstance(item, bool) and math.isfinite(item)

        if not isinstance(value, list) or not all(map(is_number, value)):
            kind = "integers" if self.type == "ints" else "numbers"
            raise ValueError(f"{self.name} is {value!r}; it must be a list of {kind}")
        return value

    @property
    def range(self) -> str:
        """The range as text: `greater than 0 and at most 1`."""
        low = f"{'greater than' if self.excludes_minimum else 'at least'} {self.minimum:g}"
        high = f"{'less than' if self.excludes_maximum else 'at most'} {self.maximum:g}"
        return " and ".join([low] * math.isfinite(self.minimum) + [high] * math.isfinite(self.maximum))


PARAMETERS = {
    name: LightGBMParameter.read(name, entry)
    for name, entry in json.loads(Path(__file__).with_name("lightgbm_parameters.json").read_text(encoding="utf-8"))[
        "parameters"
    ].items()
}
_NAMES = {alias: name for name, parameter in PARAMETERS.items() for alias in (name, *parameter.aliases)}

# By reason, the parameters that settings cannot set.
_REFUSED_BECAUSE = {
    "the job reads the outputs of Preprocess": (
        *("data", "valid", "header", "label_column", "ignore_column", "two_round", "parser_config_file"),
        *("precise_float_parser", "forcedbins_filename", "forcedsplits_filename", "input_model", "config", "task"),
    ),
    "train.py writes the model and its metrics itself": (
        *("output_model", "output_result", "save_binary", "snapshot_freq", "metric_freq"),
        *("saved_feature_importance_type", "is_provide_training_metric", "convert_model", "convert_model_language"),
    ),
    "it is about predictions or refitting, not about training": (
        *("num_iteration_predict", "start_iteration_predict", "predict_contrib", "predict_disable_shape_check"),
        *("predict_leaf_index", "predict_raw_score", "pred_early_stop", "pred_early_stop_freq"),
        *("pred_early_stop_margin", "refit_decay_rate"),
    ),
    "the instances of the job decide; set resources.training_instance_type and training_instance_count": (
        *("num_threads", "num_machines", "machines", "machine_list_filename", "local_listen_port", "time_out"),
        *("tree_learner", "top_k", "pre_partition"),
    ),
    "the image of the job has LightGBM for CPUs": (
        *("device_type", "gpu_device_id", "gpu_device_id_list", "gpu_platform_id", "gpu_use_dp", "num_gpu"),
    ),
    "train.py sets it, so that one seed gives one model": ("deterministic", "force_col_wise", "force_row_wise"),
    "the data decides how many classes there are": ("num_class",),
    "set quality.early_stopping_metric": (
        *("metric", "first_metric_only", "eval_at", "auc_mu_weights", "multi_error_top_k"),
    ),
    "warnings of LightGBM are always in the log and in the report": ("verbosity",),
    "set data.weight_column": ("weight_column",),
    "set data.group_column": ("group_column",),
    "Preprocess decides which columns are categories": ("categorical_feature",),
    "positions of ranked items are not supported": ("lambdarank_position_bias_regularization",),
    "LightGBM cannot explain linear trees (SHAP), and training on several instances ignores it": (
        *("linear_tree", "linear_lambda"),
    ),
}
_REFUSED = {name: reason for reason, names in _REFUSED_BECAUSE.items() for name in names}


def settable_parameter(name: str, other_keys: Iterable[str] = ()) -> LightGBMParameter:
    """Find a parameter that settings can set, by its name or an alias.

    Args:
        name: The name.
        other_keys: What else could have been meant.

    Raises:
        ValueError: LightGBM has no such parameter, or a training job cannot set it.
    """
    if name not in _NAMES:
        settable = [known for known, own in _NAMES.items() if own not in _REFUSED]
        raise ValueError(f"LightGBM has no parameter {name!r}{did_you_mean(name, [*settable, *other_keys])}")
    parameter = PARAMETERS[_NAMES[name]]
    if parameter.name in _REFUSED:
        alias = "" if name == parameter.name else f" (LightGBM's {parameter.name})"
        raise ValueError(f"{name}{alias} cannot be set: {_REFUSED[parameter.name]}")
    return parameter


def did_you_mean(name: str, known: list[str]) -> str:
    """Return the end of a sentence that suggests the known name most like an unknown one, nothing if none is."""
    matches = get_close_matches(name, known, n=1)
    return f"; did you mean {matches[0]}?" if matches else ""
