"""The ranges of `tuning.ranges`: what a tuning job of SageMaker searches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias, cast, get_origin

from pydantic import Field, TypeAdapter, ValidationError

from project.settings.lightgbm import PARAMETERS
from project.settings.lightgbm_combinations import check_choice
from project.settings.section import Section
from project.settings.training import TrainingSettings, name_of

MAX_RANGES = 30
MAX_CATEGORIES = 30

Category: TypeAlias = bool | int | float | str


class NumberRange(Section):
    """A range of numbers, with both bounds."""

    min: int | float = Field(description="Lowest value.")
    max: int | float = Field(description="Highest value.")
    scaling: Literal["Auto", "Linear", "Logarithmic", "ReverseLogarithmic"] = Field(
        default="Auto", description="Scale that the search uses; `Auto` leaves the choice to SageMaker."
    )


Range: TypeAlias = NumberRange | tuple[Category, ...]

# What is searched if no ranges are given
DEFAULT_RANGES: dict[str, Range] = {
    "learning_rate": NumberRange(min=0.01, max=0.3, scaling="Logarithmic"),
    "num_leaves": NumberRange(min=4, max=256, scaling="Logarithmic"),
    "min_data_in_leaf": NumberRange(min=1, max=100, scaling="Logarithmic"),
    "feature_fraction": NumberRange(min=0.4, max=1.0, scaling="Linear"),
    "bagging_fraction": NumberRange(min=0.4, max=1.0, scaling="Linear"),
    "bagging_freq": NumberRange(min=1, max=7, scaling="Linear"),
    "lambda_l1": NumberRange(min=1e-8, max=10.0, scaling="Logarithmic"),
    "lambda_l2": NumberRange(min=1e-8, max=10.0, scaling="Logarithmic"),
}


def default_ranges(training: TrainingSettings) -> dict[str, Range]:
    """Return the default ranges of the parameters that `training` does not set, and that go with what it sets."""
    ranges = {name: item for name, item in DEFAULT_RANGES.items() if name not in training.model_fields_set}
    further = training.further
    without_bagging = "bagging_freq" in training.model_fields_set and training.bagging_freq == 0
    if without_bagging or further.get("data_sample_strategy") == "goss":
        ranges = {name: item for name, item in ranges.items() if name not in ("bagging_fraction", "bagging_freq")}
    if further.get("path_smooth", 0) > 0 and "min_data_in_leaf" in ranges:
        # LightGBM smooths only leaves of two rows and more
        ranges["min_data_in_leaf"] = NumberRange(min=2, max=100, scaling="Logarithmic")
    return ranges


def parse_ranges(ranges: Any) -> dict[str, Range]:
    """Return the ranges by the parameters' names in the settings.

    Args:
        ranges: What the settings file has: a mapping of LightGBM's names or aliases.

    Raises:
        ValueError: A parameter cannot be tuned, or SageMaker would refuse its range.
    """
    if not isinstance(ranges, Mapping):
        raise ValueError("expected ranges by name, such as num_leaves: {min: 8, max: 256}")
    if len(ranges) > MAX_RANGES:
        raise ValueError(f"{len(ranges)} ranges; SageMaker searches at most {MAX_RANGES}")
    parsed: dict[str, Range] = {}
    given_as: dict[str, str] = {}
    for given, item in ranges.items():
        name = _tunable_name(str(given))
        if name in parsed:
            raise ValueError(f"{given_as[name]} and {given} are the same parameter of LightGBM; keep one")
        parsed[name], given_as[name] = _parse_range(name, item), given
    return parsed


def is_integer(name: str) -> bool:
    """Return whether a parameter with a NumberRange takes integers only."""
    return _type(name) is int


def _type(name: str) -> Any:
    """Return the type of a parameter: int, float, bool, str, list, or an annotation."""
    if field := TrainingSettings.model_fields.get(name):
        return field.annotation
    return {"int": int, "double": float, "bool": bool, "string": str}.get(PARAMETERS[name].type, list)


def _tunable_name(given: str) -> str:
    """Return the name of a parameter in the settings; ValueError if it cannot be tuned."""
    name = name_of(given)
    if name == "seed" or name.endswith("_seed"):
        raise ValueError(f"{given} cannot be tuned: a model that is better by its seed is better by chance")
    if name == "objective":
        raise ValueError("objective cannot be tuned: losses of different objectives cannot be compared")
    if _type(name) not in (int, float, bool, str) and get_origin(_type(name)) is not Literal:
        raise ValueError(
            f"{given} cannot be tuned: it is neither a number nor a choice; set it in the section training"
        )
    return name


def _parse_range(name: str, item: Any) -> Range:
    if isinstance(item, NumberRange):
        return item
    if isinstance(item, list | tuple):
        return _parse_categories(name, item)
    if isinstance(item, Mapping):
        return _parse_number_range(name, item)
    raise ValueError(
        f"{name} is {item!r}; expected a range such as {{min: 1, max: 10}}, or a list of values; a single value "
        "belongs in the section training"
    )


def _parse_categories(name: str, items: list[Any] | tuple[Any, ...]) -> tuple[Category, ...]:
    if len(items) < 2:
        raise ValueError(f"{name}: a list needs at least two values to choose from; found {list(items)}")
    if len(items) > MAX_CATEGORIES:
        raise ValueError(f"{name}: {len(items)} values; SageMaker chooses among at most {MAX_CATEGORIES}")
    for item in items:
        if not isinstance(item, bool | int | float | str):
            raise ValueError(f"{name}: {item!r} is not a value; expected numbers, texts or booleans")
    checked = tuple(_checked(name, item) for item in items)
    if len({*map(str, checked)}) < len(checked):
        raise ValueError(f"{name}: a value is listed twice in {list(items)}")
    return checked


def _parse_number_range(name: str, item: Mapping[str, Any]) -> NumberRange:
    if _type(name) not in (int, float):
        raise ValueError(f"{name} is not a number; give a list of values instead of a range")
    try:
        parsed = NumberRange.model_validate(dict(item))
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(str(part) for part in problem["loc"][:1])
        found = {"missing": "missing", "extra_forbidden": "unknown key"}.get(
            problem["type"], problem["msg"].replace("Input should", "it must")
        )
        raise ValueError(
            f"{name}.{key}: {found}; expected a range such as {{min: 1, max: 10, scaling: Logarithmic}}"
        ) from None
    low, high, scaling = parsed.min, parsed.max, parsed.scaling
    for bound in (low, high):
        if is_integer(name) and float(bound) != int(bound):
            raise ValueError(f"{name} takes integers; found {bound}")
        _checked(name, bound)
    if low > high:
        raise ValueError(f"{name}: min {low:g} is greater than max {high:g}; exchange them")
    if low == high:
        raise ValueError(f"{name}: min and max are both {low:g}; set {name} in the section training instead")
    if scaling == "Logarithmic" and low <= 0:
        raise ValueError(f"{name}: a logarithmic range must begin above 0; found min {low:g}, use 1e-8 for example")
    if scaling == "ReverseLogarithmic" and (is_integer(name) or low < 0 or high >= 1):
        raise ValueError(f"{name}: ReverseLogarithmic needs numbers from 0 to below 1; found {low:g} to {high:g}")
    if is_integer(name):
        return NumberRange(min=int(low), max=int(high), scaling=scaling)
    return NumberRange(min=float(low), max=float(high), scaling=scaling)


def _checked(name: str, value: Category) -> Category:
    """Check a value by the rules of the setting that it replaces, and return it as the setting would be."""
    field = TrainingSettings.model_fields.get(name)
    if field is None:
        value = PARAMETERS[name].check(value)
        check_choice(name, str(value))
        return value
    rules: Any = Annotated[field.annotation, field]
    try:
        return cast(Category, TypeAdapter(rules).validate_python(value))
    except ValidationError as error:
        reason = error.errors()[0]["msg"].replace("Input should", "it must")
        raise ValueError(f"{name} cannot be {value!r}: {reason}") from None
