"""The columns of the model: the features as they are, or what is derived from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from preprocessing.columns import is_number
from preprocessing.data_settings import TARGET, DataSettings
from preprocessing.report import DataError, listed
from preprocessing.rows import Column

NUMBER, CATEGORY, TEXT, DATETIME = "number", "category", "text", "datetime"
# Of a date that features.py makes, as by default of one in datetime_columns.
DEFAULT_PARTS = ("year", "month", "day", "weekday", "hour", "days_since_epoch")


@dataclass(frozen=True)
class ModelColumn:
    """A column of the model.

    Attributes:
        name: Its name in the encoded splits.
        made_of: The name of the feature that it is made of, or of the column that features.py returns.
        source: Where that is stored.
        part: The part of a date or time: one of analyzer.datetimes.PARTS or TABLES.
        encoding: FREQUENCY or TARGET.
        label: The index of the class whose probability a target encoding is; None for a mean.
    """

    name: str
    made_of: str
    source: Column
    part: str | None = None
    encoding: str | None = None
    label: int | None = None

    @property
    def is_derived(self) -> bool:
        return self.part is not None or self.encoding is not None

    @property
    def type(self) -> str:
        return NUMBER if self.is_derived or is_number(self.source.stored_type) else CATEGORY


def choose_model_columns(
    sources: Mapping[str, Column], datetimes: Collection[str], settings: DataSettings, classes: Sequence[object] | None
) -> list[ModelColumn]:
    """Choose the columns of the model, in the order of their sources.

    Args:
        sources: The features, or the columns that features.py makes of them, by name.
        datetimes: Those that are dates or times.
        settings: What becomes of dates, times and texts.
        classes: The classes; None for a regression.

    Raises:
        DataError: A derived column has the name of another.
    """
    columns = [
        column
        for name, source in sources.items()
        for column in _columns_of(name, source, name in datetimes, settings, classes)
    ]
    repeated = [name for name, count in Counter(column.name for column in columns).items() if count > 1]
    if repeated:
        raise DataError(
            f"the model would have several columns named {listed(map(repr, repeated))}, one of them derived by "
            "datetime_columns or encodings; rename the column in the data or in features.py"
        )
    return columns


def feature_type(feature: Column, settings: DataSettings) -> str:
    """Return what clients send for a feature."""
    if feature.name in settings.datetime_columns:
        return DATETIME
    if is_number(feature.stored_type):
        return NUMBER
    return TEXT if feature.name in settings.encodings else CATEGORY


def _columns_of(
    name: str, source: Column, is_datetime: bool, settings: DataSettings, classes: Sequence[object] | None
) -> Iterator[ModelColumn]:
    if is_datetime:
        wanted = settings.datetime_columns.get(name, {"parts": DEFAULT_PARTS, "cyclic": ()})
        cyclic = [f"{part}_{function}" for part in wanted["cyclic"] for function in ("sin", "cos")]
        for part in (*wanted["parts"], *cyclic):
            yield ModelColumn(f"{name}_{part}", name, source, part=part)
    elif settings.encodings.get(name) == TARGET and classes is not None and len(classes) > 2:
        for label, text in enumerate(classes):
            yield ModelColumn(f"{name}_{text}", name, source, encoding=TARGET, label=label)
    elif name in settings.encodings:
        yield ModelColumn(name, name, source, encoding=settings.encodings[name], label=None if classes is None else 1)
    else:
        yield ModelColumn(name, name, source)
