"""Guess what the columns of a table are: the target, IDs, dates, amounts of money, texts that stand for missing values.

A guess is a line of the settings file with its reason, which the user checks. Everything is judged by the first rows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from analyzer.value_formats import CURRENCY, FALSE_WORDS, NUMBER, PERCENT, TRUE_WORDS, ValueFormat
from analyzer.values import MISSING, NUMBER_PATTERN
from pipelines.new_project.sample import Sample
from project.errors import UserError
from project.settings import ProblemType

# A column is what almost all of its values look like.
SHARE = 0.95
# ... and numeric with a few texts that stand for missing values from this share on.
NUMERIC_SHARE = 0.7
MAX_MISSING_TEXTS = 3
# Above this share of distinct values, a text column is like an ID.
ID_SHARE = 0.5
# LightGBM splits categories well up to so many levels.
MAX_LEVELS = 255
MAX_CLASSES = 20
MAX_MISSING_SHARE = 0.95

# What a target is called, the likeliest name first.
TARGET_NAMES = (
    *("target", "label", "y", "class", "outcome", "churn", "churned", "default", "defaulted", "fraud", "is_fraud"),
    *("survived", "converted", "clicked", "bought", "response", "approved", "diagnosis"),
    *("price", "sales", "demand", "amount", "quality"),
)
ID_NAME = re.compile(r"(?i:(^|[_\s-])(id|uuid|guid|nr|no|number|index))$|^Unnamed: 0$|[a-z]I[dD]$", re.ASCII)
POSITIVE = ("yes", "true", "1", "y", "positive", "malignant", "churned", "fraud", "bad", "default", "won", "t")

# The first of equally fitting ones is suggested.
KINDS = (NUMBER, PERCENT, CURRENCY)
# As analyzer.datetimes reads them.
DATE = (
    r"(?:\d{4}-\d{2}-\d{2}|(?:0?[1-9]|[12]\d|3[01])\.(?:0?[1-9]|1[0-2])\.\d{4})"
    r"(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?"
)
# Dates that only the user can tell how to read: 1/2/2024 is in January or in February.
OTHER_DATE = r"\d{1,4}([/.-])\d{1,2}\1\d{1,4}(?: .*)?"
OTHER_DATES = (
    *("%m/%d/%Y", "%d/%m/%Y", "%m/%d/%y", "%d/%m/%y", "%d.%m.%Y", "%m.%d.%Y", "%d.%m.%y"),
    *("%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d"),
)
OTHER_DATE_FORMATS = [date + time for date in OTHER_DATES for time in ("", " %H:%M", " %H:%M:%S", " %I:%M %p")]


@dataclass
class Guesses:
    """The settings that a table seems to need.

    Attributes:
        problem_type: What the target asks for.
        target: The target column.
        data: The settings of the section `data` besides the target.
        reasons: Why, by key of the settings, or by key and column.
        notes: What the user should know or decide.
    """

    problem_type: ProblemType
    target: str
    data: dict[str, Any] = field(default_factory=dict)
    reasons: dict[str | tuple[str, str], str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def guess(sample: Sample, target: str | None = None) -> Guesses:
    """Guess the settings of a table.

    Args:
        sample: Its first rows.
        target: The target column; by default the one whose name says so, else the last one.

    Raises:
        UserError: The column does not exist, or the target cannot be predicted.
    """
    target, why = _target(sample, target)
    problem_type, what = _problem_type(sample.columns[target], target, sample.decimal)
    guesses = Guesses(problem_type, target, reasons={"target_column": why, "problem_type": what})
    if problem_type == "BinaryClassification":
        _guess_positive_class(sample.columns[target], guesses)
    if problem_type == "Regression" and (_numbers(present := _present(sample.columns[target]), sample.decimal) is None):
        _guess_text(target, present.astype(str).str.strip(), sample.decimal, guesses)
    if sample.csv_format:
        guesses.data["csv"] = sample.csv_format
        guesses.reasons["csv"] = "as the first rows are written"
    for name, values in sample.columns.items():
        if name != target:
            _guess_column(name, values, sample.decimal, guesses)
    return guesses


def _target(sample: Sample, target: str | None) -> tuple[str, str]:
    names = [*sample.columns]
    if target is not None:
        if target not in names:
            raise UserError(f"{sample.path} has no column {target!r}; choose --target from {', '.join(names)}")
        return target, "as given by --target"
    by_name = {name.lower(): name for name in names}
    for known in TARGET_NAMES:
        if known in by_name:
            return by_name[known], "by its name; give --target for another column"
    return names[-1], "the last column; give --target for another one"


def _problem_type(values: pd.Series, target: str, decimal: str) -> tuple[ProblemType, str]:
    present = _present(values)
    if present.empty:
        raise UserError(f"column {target!r} has no values in the first rows; choose another --target")
    distinct = present.nunique()
    numbers = _numbers(present, decimal)
    if numbers is None and (value_format := _written_as(present.astype(str).str.strip(), decimal)):
        return "Regression", f"{target} has {distinct} different values of type {value_format.kind}"
    if distinct == 1:
        raise UserError(f"column {target!r} has only the value {present.iloc[0]!r}; choose another --target")
    if distinct == 2:
        first, second = sorted(map(str, present.unique()))
        return "BinaryClassification", f"{target} has two values, {first} and {second}"
    if numbers is None:
        if distinct > max(MAX_CLASSES, 0.05 * len(present)):
            raise UserError(
                f"column {target!r} has {distinct} different texts in {len(present)} rows, too many for classes; "
                "choose another --target"
            )
        return "MulticlassClassification", f"{target} has {distinct} classes"
    if distinct <= MAX_CLASSES and (numbers % 1 == 0).all() and len(present) >= 20 * distinct:
        return (
            "MulticlassClassification",
            f"{target} has {distinct} different whole numbers; write Regression if their distances matter",
        )
    return "Regression", f"{target} has {distinct} different numbers"


def _guess_positive_class(values: pd.Series, guesses: Guesses) -> None:
    classes = sorted(map(str, _present(values).unique()))
    # by default it is the last of the two
    named = next((label for label in classes if label.strip().lower() in POSITIVE), None)
    if named is not None and named != classes[-1]:
        guesses.data["positive_class"] = named
        guesses.reasons["positive_class"] = "the class whose probability is predicted"
    elif named is None:
        rare = str(_present(values).astype(str).value_counts().index[-1])
        guesses.data["positive_class"] = rare
        guesses.reasons["positive_class"] = "the rarer class: its probability is predicted"


def _guess_column(name: str, values: pd.Series, decimal: str, guesses: Guesses) -> None:
    """Add what a column needs; a plain number or category needs nothing."""
    present = _present(values)
    missing = 1 - len(present) / len(values)
    if missing > MAX_MISSING_SHARE:
        _drop(name, f"{missing:.0%} of its values are missing", guesses)
    elif present.nunique() <= 1:
        _drop(name, "it has only one value", guesses)
    elif pd.api.types.is_datetime64_any_dtype(values.dtype):
        _add_date(name, present, guesses)
    elif pd.api.types.is_bool_dtype(values.dtype):
        return
    elif (numbers := _numbers(present, decimal)) is not None:
        if present.is_unique and (ID_NAME.search(name) or _counts_rows(numbers)):
            _drop(name, "every row has another value, like an ID", guesses)
        elif (code := _with_leading_zeros(present)) is not None and not _guess_many(name, present, guesses):
            _add_to("categorical_columns", name, None, f"{code} is a code, not the number {int(code)}", guesses)
    else:
        _guess_text(name, present.astype(str).str.strip(), decimal, guesses)


def _guess_many(name: str, values: pd.Series, guesses: Guesses) -> bool:
    """Drop or encode a category of more values than LightGBM distinguishes; return whether it is one."""
    distinct = values.nunique()
    if distinct > ID_SHARE * len(values):
        _drop(name, f"{distinct} of {len(values)} values are different, like an ID or a free text", guesses)
    elif distinct > MAX_LEVELS:
        _add_to("encodings", name, "target", f"{distinct} categories", guesses)
    else:
        return False
    return True


def _guess_text(name: str, texts: pd.Series, decimal: str, guesses: Guesses) -> None:
    spellings = sorted(texts.unique())
    if _share(texts, DATE) >= SHARE:
        _add_date(name, texts, guesses)
    elif formats := _date_formats(texts):
        _drop_date(name, texts, formats, guesses)
    elif value_format := _written_as(texts, decimal):
        in_format = _in_format(texts, value_format)
        example = texts[in_format & ~_are_plain(texts, decimal)].iloc[0]
        setting = {"type": value_format.kind}
        if value_format.decimal != decimal:
            setting["decimal"] = value_format.decimal
        _add_to("columns", name, setting, f"like {example!r}", guesses)
        _add_missing_texts(name, texts[~in_format], guesses)
    elif (are_plain := _are_plain(texts, decimal)).mean() >= NUMERIC_SHARE:
        _add_missing_texts(name, texts[~are_plain], guesses)
    elif _guess_many(name, texts, guesses):
        return
    elif len(spellings) > 2 and _are_booleans({text.strip().casefold() for text in spellings}):
        _add_to("columns", name, {"type": "boolean"}, f"has {listed(spellings)}", guesses)
    elif pair := _spellings_of_one(spellings):
        _add_to("columns", name, {"normalize": True}, f"has {listed(pair)}", guesses)


def _written_as(texts: pd.Series, decimal: str) -> ValueFormat | None:
    """Return the format in which most texts are numbers, some of them with a sign or separators of thousands.

    It has the decimal mark of the file, unless more of them are numbers with the other mark.
    """
    marks = sorted(".,", key=lambda mark: mark != decimal)
    formats = [ValueFormat(kind, mark) for mark in marks for kind in KINDS]
    counts = [int(_in_format(texts, value_format).sum()) for value_format in formats]
    found = max(counts)
    is_needed = found > _are_plain(texts, decimal).sum() and found >= NUMERIC_SHARE * len(texts)
    return formats[counts.index(found)] if is_needed else None


def _are_plain(texts: pd.Series, decimal: str) -> pd.Series:
    """Return which texts are numbers without a setting for their column."""
    return texts.str.fullmatch(NUMBER_PATTERN.replace(r"\.", re.escape(decimal))).astype(bool)


def _in_format(texts: pd.Series, value_format: ValueFormat) -> pd.Series:
    """Return which texts are numbers in a format, as Preprocess and the endpoint read them."""
    return texts.map({text: value_format.accepts(text, None) for text in texts.unique()}).astype(bool)


def _are_booleans(words: set[str]) -> bool:
    return words <= TRUE_WORDS | FALSE_WORDS and bool(words & TRUE_WORDS and words & FALSE_WORDS)


def _spellings_of_one(texts: Sequence[str]) -> tuple[str, str] | None:
    """Find two texts that differ only in case and whitespace."""
    first: dict[str, str] = {}
    for text in texts:
        known = first.setdefault(" ".join(text.split()).casefold(), text)
        if known != text:
            return known, text
    return None


def _add_date(name: str, values: pd.Series, guesses: Guesses) -> None:
    _add_to("datetime_columns", name, None, f"dates such as {values.iloc[0]}", guesses)
    guesses.notes.append(
        f"To predict the future, test on the newest rows: set data.split to {{strategy: time, time_column: {name}}} "
        f"and remove {name} from datetime_columns."
    )


def _date_formats(texts: pd.Series) -> list[str]:
    """Return in which of OTHER_DATE_FORMATS all of the dates are; several if no day is above 12."""
    dates = texts[texts.str.fullmatch(OTHER_DATE)].unique()
    if len(dates) == 0 or _share(texts, OTHER_DATE) < SHARE:
        return []
    return [form for form in OTHER_DATE_FORMATS if pd.to_datetime(dates, format=form, errors="coerce").notna().all()]


def _drop_date(name: str, texts: pd.Series, formats: Sequence[str], guesses: Guesses) -> None:
    column = json.dumps(name, ensure_ascii=False)
    line = f'rows[{column}] = pd.to_datetime(rows[{column}], format="{formats[0]}")'
    _drop(name, f"dates such as {texts.iloc[0]}, which features.py can convert: {line}", guesses)
    others = f' (or "{formats[1]}": no day is above 12)' if len(formats) > 1 else ""
    guesses.notes.append(
        f"{name} has dates such as {texts.iloc[0]}. To give the model their parts, remove {name} from drop_columns and "
        f"write a features.py, as in docs/how-to/features.md, with the line {line}{others}"
    )


def _add_missing_texts(name: str, others: pd.Series, guesses: Guesses) -> None:
    if others.nunique() > MAX_MISSING_TEXTS:
        guesses.notes.append(
            f"{name} has {len(others)} values that are not numbers, such as {others.iloc[0]!r}; unless they are "
            "mended, it is a category."
        )
        return
    for text in sorted(others.unique()):
        _add_to("missing_values", text, None, f"beside numbers in {name}", guesses)


def _drop(name: str, reason: str, guesses: Guesses) -> None:
    _add_to("drop_columns", name, None, reason, guesses)


def _add_to(key: str, name: str, value: object, reason: str, guesses: Guesses) -> None:
    """Add an item to a list of the settings, or with a value to a mapping, with its reason."""
    if value is None:
        items = guesses.data.setdefault(key, [])
        if name not in items:
            items.append(name)
    else:
        guesses.data.setdefault(key, {})[name] = value
    guesses.reasons[key, name] = reason


def _present(values: pd.Series) -> pd.Series:
    """Select the values that are not missing."""
    present = values[values.notna()]
    if pd.api.types.is_numeric_dtype(present.dtype) or pd.api.types.is_datetime64_any_dtype(present.dtype):
        return present
    return present[~present.astype(str).str.strip().isin(MISSING)]


def _numbers(present: pd.Series, decimal: str) -> pd.Series | None:
    """Return a column's values as numbers; None if one of them is not a number."""
    if pd.api.types.is_numeric_dtype(present.dtype):
        return present.astype(float)
    texts = present.astype(str).str.strip()
    return texts.str.replace(decimal, ".", regex=False).astype(float) if _are_plain(texts, decimal).all() else None


def _with_leading_zeros(present: pd.Series) -> str | None:
    """Return an example of whole numbers that are written with leading zeros, such as postcodes; None without one."""
    if pd.api.types.is_numeric_dtype(present.dtype):
        return None
    texts = present.astype(str).str.strip()
    found = texts[texts.str.fullmatch(r"0\d+")]
    return str(found.iloc[0]) if len(found) and texts.str.fullmatch(r"\d+").all() else None


def _counts_rows(numbers: pd.Series) -> bool:
    """Return whether the numbers are 0, 1, 2 ... or another sequence without gaps."""
    return len(numbers) > 2 and bool((numbers.diff().iloc[1:] == 1).all())


def _share(texts: pd.Series, pattern: str) -> float:
    return float(texts.str.fullmatch(pattern).mean())


def listed(texts: Iterable[str]) -> str:
    return " and ".join(map(repr, texts))
