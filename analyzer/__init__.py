"""The quality analyzer: computes Model Monitor's statistics, constraints and violations without using AWS."""


class QualityError(ValueError):
    """The data or the settings cannot be analyzed; the message names the thing, the value and the next move."""


class NoRecords(QualityError):
    """There is nothing to analyze: no record in the window, or none with a label."""
