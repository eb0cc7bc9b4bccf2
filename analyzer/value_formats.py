"""Values as people write them: amounts of money, percentages, thousands separators, booleans in words.

The settings `data.columns` and `data.missing_values` say which columns are written so, and schema.json tells it to
serving and monitoring. As with `analyzer.values`, all of them read a value by this module, or by
`analyzer.arrow_values`, which does the same for Arrow columns.

The sign of a currency or of percent is not part of a value: "19 %" is 19, as is the 19 of somebody who leaves the sign
out, and "$3" is 3. A number that is not a text, such as one of JSON, is that number.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from analyzer.values import MISSING, category_text
from analyzer.values import NUMBER as PLAIN_NUMBER

CURRENCY, PERCENT, NUMBER, BOOLEAN = "currency", "percent", "number", "boolean"
EXAMPLES = {
    (CURRENCY, "."): "an amount such as $1,234.50",
    (CURRENCY, ","): "an amount such as 1.234,50 €",
    (PERCENT, "."): "a percentage such as 12.5 %",
    (PERCENT, ","): "a percentage such as 12,5 %",
    (NUMBER, "."): "a number such as 1,234.50",
    (NUMBER, ","): "a number such as 1.234,50",
}

# English, German, French, Spanish, Italian, Portuguese, Dutch, Danish, Norwegian, Swedish, Polish, Czech, Russian.
TRUE = "true t yes y on 1 wahr ja j vrai oui o verdadero sí si s vero sì sim tak ano да"
FALSE = "false f no n off 0 falsch nein faux non falso não nao nee nej nei nie ne нет"
TRUE_WORDS, FALSE_WORDS = frozenset(TRUE.split()), frozenset(FALSE.split())

MINUS = "\u2212"
# The spaces that separate thousands, and a number from its sign: also without a break, thin, and narrow.
SPACE = " \u00a0\u2009\u202f"
APOSTROPHES = "'\u2019"
# The currency symbols of Unicode: Python's regular expressions have no \p{Sc}.
SYMBOLS = "$\u00a2-\u00a5\u058f\u060b\u07fe\u07ff\u09f2\u09f3\u09fb\u0af1\u0bf9\u0e3f\u17db\u20a0-\u20cf\ua838\ufdfc"
SYMBOLS += "\ufe69\uff04\uffe0\uffe1\uffe5\uffe6"
SIGNS = {
    CURRENCY: rf"(?:[A-Z]{{0,3}}[{SYMBOLS}]|[A-Z]{{3}}|kr\.?|zł|Kč|Ft|lei|Rs\.?|RM|R|Fr\.?|лв\.?)",
    PERCENT: "(?:[%\uff05\u066a]|percent|pct)",
}
# Accountants write -3 as (3), also within or around a sign, and some programs write it as 3-.
PARENTHESES, WITHOUT_PARENTHESES = r"^([^()]*)\(([^()]*)\)([^()]*)$", r"-\1\2\3"
TRAILING_MINUS, LEADING_MINUS = rf"(?s)^(.*)[-{MINUS}]$", r"-\1"


def number_pattern(kind: str, decimal: str) -> str:
    """Return the regular expression of a text with a number, with the groups `minus` and `digits`.

    Arrow uses it, too (RE2). No part can match what the part before it has matched, so that a match takes linear time.
    """
    group = r"(?:,[0-9]{2,3})*,[0-9]{3}" if decimal == "." else r"(?:\.[0-9]{3})+"
    others = rf"(?:[{SPACE}][0-9]{{3}})+|(?:[{APOSTROPHES}][0-9]{{3}})+"
    mark = re.escape(decimal)
    # Without [1-9], 0,123 would be 123.
    digits = rf"(?:[1-9][0-9]{{0,2}}(?:{group}|{others})|[0-9]+)(?:{mark}[0-9]*)?|{mark}[0-9]+"
    number = rf"(?P<digits>(?:{digits})(?:[eE][+-]?[0-9]+)?)"
    minus = rf"(?:(?P<minus>[-{MINUS}])|\+)?"
    if kind == NUMBER:
        return rf"^{minus}[{SPACE}]*{number}$"
    sign = SIGNS[kind]
    before = rf"(?:{sign}[{SPACE}]*)?"
    return rf"^{before}{minus}[{SPACE}]*{before}{number}[{SPACE}]*{sign}?$"


@dataclass(frozen=True)
class ValueFormat:
    """How the values of a column are written.

    Attributes:
        kind: CURRENCY, PERCENT, NUMBER, BOOLEAN; None for plain numbers, and for categories.
        decimal: The decimal mark of numbers in the three kinds of numbers.
        normalize: Whether spellings of a category that differ in case, width or whitespace are one category.
        missing_texts: Texts that count as missing, in addition to MISSING.
    """

    kind: str | None = None
    decimal: str = "."
    normalize: bool = False
    missing_texts: frozenset[str] = frozenset()

    @cached_property
    def missing(self) -> frozenset[str]:
        """All texts that count as missing, once trimmed; once normalized where categories are."""
        texts = MISSING | self.missing_texts
        return texts | frozenset(map(normalized, texts)) if self.normalize else texts

    @property
    def is_number(self) -> bool:
        """Whether this is one of the three kinds of numbers."""
        return self.kind in SIGNS or self.kind == NUMBER

    @property
    def has_decimal_comma(self) -> bool:
        """Whether texts with numbers have decimal commas."""
        return self.is_number and self.decimal == ","

    @property
    def expected(self) -> str:
        """What a value should be, for messages."""
        if self.kind == BOOLEAN:
            return "a boolean such as yes or no"
        return EXAMPLES[self.kind, self.decimal] if self.kind else "a number such as 1234.5"

    @cached_property
    def pattern(self) -> str:
        """The regular expression of texts in this format; see `number_pattern`."""
        return number_pattern(self.kind or NUMBER, self.decimal)

    def number(self, text: str) -> float | None:
        """Read a number; None for a missing value.

        Raises:
            ValueError: The text is neither in the format nor a plain number.
        """
        text = text.strip()
        if text in self.missing:
            return None
        plain = self._plain(text) if self.is_number else text
        if not PLAIN_NUMBER.fullmatch(plain):
            raise ValueError(f"not {self.expected}")
        return float(plain)

    def category(self, text: str) -> str | None:
        """Read a category; None for a missing value.

        Raises:
            ValueError: The text is not a boolean, but the column's format is.
        """
        category = normalized(text) if self.normalize else category_text(text)
        if category in self.missing or text.strip() in self.missing:
            return None
        return boolean(category) if self.kind == BOOLEAN else category

    def accepts(self, text: str, categories: Collection[str] | None) -> bool:
        """Return whether a text is missing, one of the categories, or a number if there are none."""
        try:
            value = self.number(text) if categories is None else self.category(text)
        except ValueError:
            return False
        return categories is None or value is None or value in categories

    def _plain(self, text: str) -> str:
        """Rewrite a text in the format as a plain number; other texts stay."""
        signed = text
        if "(" in signed:
            signed = re.sub(PARENTHESES, WITHOUT_PARENTHESES, signed).strip(SPACE)
        if signed.endswith(("-", MINUS)):
            signed = re.sub(TRAILING_MINUS, LEADING_MINUS, signed).strip(SPACE)
        found = self._compiled.match(signed)
        if found is None:
            return text
        digits = found["digits"].translate(self._without_separators)
        return f"-{digits}" if found["minus"] else digits

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(self.pattern.removesuffix("$") + r"\Z")

    @cached_property
    def _without_separators(self) -> dict[int, str | None]:
        table: dict[str, str | None] = dict.fromkeys(self.separators)
        return str.maketrans(table | ({",": "."} if self.has_decimal_comma else {}))

    @property
    def separators(self) -> str:
        """The characters between thousands."""
        return ("," if self.decimal == "." else ".") + SPACE + APOSTROPHES


PLAIN = ValueFormat()


def normalized(text: str) -> str:
    """Normalize a category: Unicode's compatible forms (NFKC), no case, single spaces."""
    for _ in range(2):
        # Folding the case may undo the normal form.
        text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return category_text(" ".join(text.split()))


def boolean(category: str) -> str:
    """Convert a word to the category true or false.

    Raises:
        ValueError: It is neither.
    """
    word = category.casefold()
    if word in TRUE_WORDS or word in FALSE_WORDS:
        return "true" if word in TRUE_WORDS else "false"
    raise ValueError("not a boolean such as yes or no")


def feature_format(feature: Mapping[str, Any], missing_texts: Collection[str] = ()) -> ValueFormat | None:
    """Return the format of a feature in schema.json; None if its values are plain.

    Args:
        feature: The item of `features`.
        missing_texts: The `missing_values` of the schema.
    """
    found = ValueFormat(
        feature.get("format"), feature.get("decimal", "."), feature.get("normalize", False), frozenset(missing_texts)
    )
    return None if found == PLAIN else found
