"""Labels and predictions that are no class, apart from their detection so that results load without Arrow."""

from __future__ import annotations

from dataclasses import dataclass

EXAMPLES = 10


@dataclass(frozen=True)
class UnknownClasses:
    """Labels and predictions that are none of a model's classes. Their records are not part of the metrics.

    Attributes:
        classes: The classes.
        records: Number of records left out.
        labels: Number of unknown labels.
        predictions: Number of unknown predictions.
        label_examples: The most frequent unknown labels with their counts.
        prediction_examples: The same for predictions.
    """

    classes: tuple[str, ...]
    records: int
    labels: int
    predictions: int
    label_examples: tuple[tuple[str, int], ...]
    prediction_examples: tuple[tuple[str, int], ...]

    def __str__(self) -> str:
        parts = [
            f"{count} {role if count > 1 else role.removesuffix('s')} (such as {_listed(examples)})"
            for role, count, examples in (
                ("labels", self.labels, self.label_examples),
                ("predictions", self.predictions, self.prediction_examples),
            )
            if count
        ]
        verb = "are" if self.labels + self.predictions > 1 else "is"
        return f"{' and '.join(parts)} {verb} none of the classes {', '.join(map(repr, self.classes))}"


def _listed(examples: tuple[tuple[str, int], ...]) -> str:
    return ", ".join(f"{text!r} x {count}" for text, count in examples[:3])
