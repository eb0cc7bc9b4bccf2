"""Settings that a message gives for values as people write them, to be pasted into the settings file."""

from __future__ import annotations

import json
import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analyzer.arrow_values import plain_numbers, present
from analyzer.value_formats import (
    BOOLEAN,
    CURRENCY,
    FALSE_WORDS,
    NUMBER,
    PERCENT,
    PLAIN,
    TRUE_WORDS,
    ValueFormat,
    boolean,
)
from preprocessing.column_formats import NUMBER_KINDS
from preprocessing.report import shortened

NOUNS = {CURRENCY: "amounts", PERCENT: "percentages", NUMBER: "numbers with separators"}
# A column has a format, or is one of dates, from this share of such values.
LOOKS_LIKE_SHARE = 0.9
# How many distinct texts say whether a column may have a format.
SAMPLE_TEXTS = 1000
# More texts than these are not spellings of a missing value.
MAX_MISSING_TEXTS = 5
DIGIT = re.compile("[0-9]")
PLAIN_YAML = re.compile(r"[A-Za-z_]\w*")
# What YAML reads as a boolean or as nothing.
YAML_WORDS = frozenset(("true", "false", "yes", "no", "on", "off", "y", "n", "null"))


def find_number_format(values: pa.Table, csv_decimal: str) -> tuple[ValueFormat, pa.Table] | None:
    """Find a format of numbers in which most values of a column of text are written, and not as plain numbers.

    Args:
        values: The distinct texts and their counts.
        csv_decimal: The decimal mark of CSV files.

    Returns:
        The format, and the texts that are not in it; None if there is no such format.
    """
    limit = (1 - LOOKS_LIKE_SHARE) * pc.sum(values["count"]).as_py()
    not_plain = len(others(values, PLAIN))
    step = -(-len(values) // SAMPLE_TEXTS)
    sample = values.take(pa.array(np.arange(0, len(values), step)))
    for decimal in sorted(".,", key=lambda mark: mark != csv_decimal):
        for kind in NUMBER_KINDS:
            value_format = ValueFormat(kind, decimal)
            if len(others(sample, value_format)) > len(sample) / 2:
                continue
            odd = others(values, value_format)
            if len(odd) < not_plain and (pc.sum(odd["count"]).as_py() or 0) <= limit:
                return value_format, odd
    return None


def others(values: pa.Table, value_format: ValueFormat) -> pa.Table:
    """Select the texts that are not numbers in a format."""
    return values.filter(pc.is_null(plain_numbers(present(values["value"], value_format), value_format)))


def column_setting(column: str, value_format: ValueFormat, csv_decimal: str) -> str:
    """Return the setting of a column's format, such as `data.columns: {spend: {type: currency}}`."""
    options = [f"type: {value_format.kind}"] if value_format.kind else []
    if value_format.is_number and value_format.decimal != csv_decimal:
        options.append(f'decimal: "{value_format.decimal}"')
    options += ["normalize: true"] if value_format.normalize else []
    return f"data.columns: {{{yaml_text(column)}: {{{', '.join(options)}}}}}"


def missing_setting(texts: pa.Table) -> str | None:
    """Return the setting that makes a few distinct texts missing; None if they probably do not mean that."""
    spellings = dict.fromkeys(pc.utf8_trim_whitespace(texts["value"]).to_pylist())
    if len(spellings) > MAX_MISSING_TEXTS or any(map(DIGIT.search, spellings)):
        return None
    return f"data.missing_values: [{', '.join(map(yaml_text, spellings))}]"


def advice_on(example: str, column: str, value_format: ValueFormat) -> str:
    """Say what to do about values of a column that are not in the format of its setting."""
    other = ValueFormat(value_format.kind, "," if value_format.decimal == "." else ".")
    if value_format.is_number and other.accepts(example, None):
        mark = "comma" if other.decimal == "," else "point"
        return (
            f"if it has a decimal {mark}, set {column_setting(column, other, value_format.decimal)}, or "
            f"data.csv.decimal to {other.decimal!r} if the numbers of all columns have"
        )
    return "correct them, or add them to data.missing_values if they stand for missing values"


def boolean_problem(column: str, categories: pa.Array) -> str | None:
    """Say that the categories of a column are booleans in more than one spelling each; None if they are not."""
    texts = [text for text in dict.fromkeys(categories.to_pylist()) if text is not None]
    words = {text: text.casefold() for text in texts}
    if len(texts) <= 2 or not TRUE_WORDS.union(FALSE_WORDS).issuperset(words.values()):
        return None
    booleans: dict[str, list[str]] = {}
    for text in texts:
        booleans.setdefault(boolean(text), []).append(text)
    if len(booleans) < 2:
        return None
    alike = max(booleans.values(), key=len)
    return (
        f"column {column!r} has booleans in {len(texts)} spellings, such as {alike[0]!r} and {alike[1]!r}, which are "
        f"different categories; set {column_setting(column, ValueFormat(BOOLEAN), '.')} to read them as true and false"
    )


def spelling_problem(column: str, categories: pa.Array) -> str | None:
    """Say that categories of a column differ only in case and whitespace; None if they do not."""
    folded = pc.replace_substring_regex(pc.utf8_lower(categories), r"\s+", " ")
    count = len(folded.unique())
    if count == len(categories.unique()):
        return None
    first: dict[str, str] = {}
    pair = ("", "")
    for category, key in zip(categories.to_pylist(), folded.to_pylist(), strict=True):
        if first.setdefault(key, category) != category:
            pair = (first[key], category)
            break
    return (
        f"column {column!r} has categories that differ only in case or whitespace, such as {pair[0]!r} and "
        f"{pair[1]!r}; set {column_setting(column, ValueFormat(normalize=True), '.')} to read them as the same"
    )


def described(value_format: ValueFormat, example: str) -> str:
    """Describe the values of a column, such as "amounts such as '$1,234.50'"."""
    return f"{NOUNS[value_format.kind or NUMBER]} such as {shortened(example)}"


def yaml_text(text: str) -> str:
    """Write a text in YAML, with quotes only where it needs them."""
    is_plain = PLAIN_YAML.fullmatch(text) and text.lower() not in YAML_WORDS
    return text if is_plain else json.dumps(text, ensure_ascii=False)
