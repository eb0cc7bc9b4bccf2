"""The classes of a model, whose labels and predictions are compared by their normalized spelling."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from analyzer import QualityError
from analyzer.datasets.selection import shorten
from analyzer.performance.metrics.inputs import Array
from analyzer.performance.unknown_classes import EXAMPLES, UnknownClasses
from analyzer.values import category_text

CODES = ("0", "1")
# Above this share of records, not some labels are wrong, but the classes or the columns.
MAX_UNKNOWN_SHARE = 0.5

NO_CLASS = -1


class Classes:
    """The classes of a model.

    Args:
        names: The names as in training; of two classes the positive one last.
        with_codes: Whether 0 and 1 stand for the first and the second class, as in the endpoint's CSV responses and in
            the predictions of Evaluate, unless one of them is a class.
    """

    def __init__(self, names: Sequence[str], with_codes: bool):
        self.names = tuple(names)
        # The names themselves come first: "1" and "1.0" may be different classes.
        self._codes = {category_text(name): code for code, name in reversed([*enumerate(self.names)])}
        self._codes |= {name: code for code, name in enumerate(self.names)}
        if with_codes and not self._codes.keys() & set(CODES):
            self._codes |= {code: number for number, code in enumerate(CODES)}

    def codes(self, values: Array) -> tuple[Array, Counter[str]]:
        """Return the index of each value's class, NO_CLASS if it is none, and the counts of such values."""
        rows = values.tolist()
        by_value = {value: self._code(str(value)) for value in set(rows)}
        codes = np.fromiter(map(by_value.__getitem__, rows), np.int64, len(rows))
        unknown = (
            Counter(str(value) for value in rows if by_value[value] == NO_CLASS) if NO_CLASS in codes else Counter()
        )
        return codes, unknown

    def _code(self, text: str) -> int:
        code = self._codes.get(text)
        return self._codes.get(category_text(text), NO_CLASS) if code is None else code


def binary_classes(schema: Sequence[str], positive_label: str, labels: Array, predictions: Array | None) -> Classes:
    """Return the two classes of a binary classification.

    Args:
        schema: The classes of the training schema; empty if it is unknown. Then the classes are the positive label and
            the other value of the predictions, or if there is none, of the labels.
        positive_label: The positive class, by its name or as a code.
        labels: The labels.
        predictions: The predicted classes; None if they are decided by the probability.

    Raises:
        QualityError: The positive label is not one of the classes, or there are more than two.
    """
    if schema:
        classes = Classes(schema, with_codes=True)
        code = classes._code(positive_label)
        if code == NO_CLASS:
            raise QualityError(
                f"positive_label {positive_label!r} is none of the classes {', '.join(map(repr, schema))}; set it to "
                "one of them"
            )
        return classes if code == 1 else Classes(schema[::-1], with_codes=False)
    positive = category_text(positive_label)
    predicted = _texts(predictions) if predictions is not None else set()
    are_codes = predicted <= set(CODES) and positive not in CODES
    others = (set() if are_codes else predicted - {positive}) or (_texts(labels) - {positive})
    if len(others) > 1:
        raise QualityError(
            f"besides the positive class {positive_label!r}, there are several others: "
            f"{shorten([repr(text) for text in sorted(others)], 3)}; set model_schema to the schema of the model, or "
            "problem_type to MulticlassClassification"
        )
    # Without any other value, every record is positive.
    (negative,) = others or {f"not {positive}"}
    return Classes((negative, positive), with_codes=are_codes)


def _texts(values: Array) -> set[str]:
    return {category_text(str(value)) for value in set(values.tolist())}


def normalized(values: Array) -> Array:
    """Normalize the spelling of texts, for classes that are not known."""
    if values.dtype != object:
        return values
    rows = values.tolist()
    texts = {text: category_text(str(text)) for text in set(rows)}
    return np.array([texts[text] for text in rows], dtype=object)


def unknown_classes(
    classes: Classes, labels: Array, predictions: Array, unknown: tuple[Counter[str], Counter[str]]
) -> tuple[UnknownClasses | None, Array]:
    """Report the values that are no class.

    Args:
        classes: The classes.
        labels: Codes of the labels, shape (n,).
        predictions: Codes of the predictions, shape (n,).
        unknown: The counts of unknown labels and of unknown predictions.

    Returns:
        The report, None if all are classes; and which records are known, shape (n,).

    Raises:
        QualityError: More than half of the records are not known.
    """
    known: Any = (labels != NO_CLASS) & (predictions != NO_CLASS)
    if known.all():
        return None, known
    of_labels, of_predictions = unknown
    report = UnknownClasses(
        classes=classes.names,
        records=int(len(known) - known.sum()),
        labels=of_labels.total(),
        predictions=of_predictions.total(),
        label_examples=tuple(of_labels.most_common(EXAMPLES)),
        prediction_examples=tuple(of_predictions.most_common(EXAMPLES)),
    )
    if report.records > MAX_UNKNOWN_SHARE * len(known):
        raise QualityError(
            f"{report}, {report.records} of {len(known)} records; check the labels, positive_label and model_schema"
        )
    return report, known
