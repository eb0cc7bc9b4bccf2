"""The quality analyzer: Model Monitor's statistics, constraints and violations, with no AWS in it."""


class QualityError(ValueError):
    """The data or the settings cannot be analysed; the message names the thing, the value and the next move."""


class NoRecords(QualityError):
    """There is nothing to analyse: no record in the window, or none with a label."""
