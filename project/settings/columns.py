"""How the values of columns are written, and what the model gets of dates: parts of the section `data`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from project.settings.section import Section


class CsvSettings(Section):
    """How CSV files are written."""

    separator: str = Field(
        default=",", description='Character between the fields: one of ASCII, such as `";"` or `"\\t"` (a tab).'
    )
    decimal: Literal[".", ","] = Field(default=".", description="Decimal mark of numbers.")
    encoding: str = Field(
        default="utf-8", description="Encoding, by its name in Python, such as `latin-1`, `cp1252` or `utf-16`."
    )

    @field_validator("separator")
    @classmethod
    def _one_character(cls, separator: str) -> str:
        if len(separator) != 1 or not separator.isascii() or separator.isalnum() or separator in '"\r\n\0.+-':
            raise ValueError(f"it must be one ASCII character such as ';', found {separator!r}")
        return separator

    @field_validator("encoding")
    @classmethod
    def _known(cls, encoding: str) -> str:
        try:
            "".encode(encoding)
        except LookupError:
            raise ValueError(f"Python has no text encoding {encoding!r}; use one such as latin-1") from None
        return encoding


NUMBER_TYPES = ("currency", "percent", "number")


class ColumnSettings(Section):
    """How the values of a column are written, in training data and in requests alike."""

    type: Literal["currency", "percent", "number", "boolean", "category"] | None = Field(
        default=None,
        description="`currency` (`$1,234.50`, `-3 €`, `(3.20)`), `percent` (`19 %` is 19), `number` (with separators "
        "of thousands), `boolean` (`yes`/`no`, `ja`/`nein`, `Y`/`N`, `1`/`0`, which become the categories true and "
        "false) or `category`.",
    )
    decimal: Literal[".", ","] | None = Field(
        default=None,
        description="Decimal mark of numbers that are texts; by default that of `csv.decimal`. With `,`, a point "
        "separates thousands: `1.234` is 1234.",
    )
    normalize: bool = Field(
        default=False,
        description="Whether categories that differ only in case, whitespace or the width of characters (Unicode NFKC) "
        "are one category: `Gold ` is `gold`.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> ColumnSettings:
        if self.type is None and not self.normalize:
            raise ValueError("it says nothing; set type, or normalize: true")
        if self.normalize and self.type not in (None, "category"):
            raise ValueError(f"normalize is for categories, but type is {self.type}; remove one of them")
        if self.decimal and self.type not in NUMBER_TYPES:
            raise ValueError(f"decimal is for {', '.join(NUMBER_TYPES)}; set type to one of them, or remove decimal")
        return self


DatetimePart = Literal["year", "month", "day", "weekday", "hour", "minute", "day_of_year", "days_since_epoch"]
CyclicPart = Literal["month", "day", "weekday", "hour", "minute", "day_of_year"]


class DatetimeSettings(Section):
    """What the model gets of a date or time."""

    parts: tuple[DatetimePart, ...] = Field(
        default=("year", "month", "day", "weekday", "hour", "days_since_epoch"),
        description="Parts that become numbers, in UTC: column `signup` becomes `signup_year` and so on.",
    )
    cyclic: tuple[CyclicPart, ...] = Field(
        default=(), description="Parts that become a sine and a cosine, `signup_hour_sin` and `signup_hour_cos`."
    )

    @model_validator(mode="after")
    def _not_empty(self) -> DatetimeSettings:
        if not self.parts and not self.cyclic:
            raise ValueError("parts and cyclic are empty; name a part, or add the column to drop_columns")
        return self
