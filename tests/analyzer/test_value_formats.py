"""Values as people write them."""

from __future__ import annotations

import math
import re

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from analyzer.arrow_values import as_categories, as_numbers, plain_numbers, present
from analyzer.value_formats import BOOLEAN, CURRENCY, NUMBER, PERCENT, ValueFormat, feature_format, normalized

POINT, COMMA = ValueFormat(CURRENCY), ValueFormat(CURRENCY, ",")
FORMATS = [ValueFormat(kind, decimal) for kind in (None, CURRENCY, PERCENT, NUMBER) for decimal in ".,"]
FORMATS += [ValueFormat(CURRENCY, missing_texts=frozenset(["unknown", "-"]))]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("$1,234.50", 1234.5),
        (" USD 1234.5 ", 1234.5),
        ("US$ 1,234", 1234),
        ("1 234 567 kr", 1234567),
        ("CHF 1'234.50", 1234.5),
        ("₹1,23,456.70", 123456.7),
        ("Rs. 500", 500),
        ("-$3", -3),
        ("$-3", -3),
        ("\u22123 €", -3),
        ("(1,234.50)", -1234.5),
        ("$ (1,234.50)", -1234.5),
        ("3.20-", -3.2),
        (".5", 0.5),
        ("1e-3", 0.001),
        ("1234.567", 1234.567),
    ],
)
def test_an_amount_is_read_without_its_sign_and_separators(text: str, number: float) -> None:
    assert POINT.number(text) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1.234,50 €", 1234.5),
        ("1.234", 1234),
        ("1.234.567", 1234567),
        ("1 234,5", 1234.5),
        ("-0,5", -0.5),
        # what a program writes, which cannot be thousands
        ("1234.5", 1234.5),
        ("0.125", 0.125),
    ],
)
def test_with_a_decimal_comma_points_separate_thousands(text: str, number: float) -> None:
    assert COMMA.number(text) == number


@pytest.mark.parametrize(
    "text", ["12,50", "0,123", "1,2,3", "1,,234", "abc", "$", "--3", "-(3)", "(3", "$3 or $4", "0x10", "inf", "\u0661"]
)
def test_other_texts_are_not_amounts(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape("not an amount such as $1,234.50")):
        POINT.number(text)


def test_a_sign_belongs_to_its_format() -> None:
    for value_format in (POINT, ValueFormat(NUMBER)):
        with pytest.raises(ValueError, match="not a"):
            value_format.number("19 %")
    with pytest.raises(ValueError, match="not a percentage"):
        ValueFormat(PERCENT).number("$19")


@pytest.mark.parametrize("text", ["19 %", "19%", "%19", "19", "19 percent", "19.0 \uff05"])
def test_a_percentage_is_the_number_before_the_sign(text: str) -> None:
    assert ValueFormat(PERCENT).number(text) == 19


@pytest.mark.parametrize(
    ("text", "category"),
    [("Yes", "true"), (" ja ", "true"), ("1.0", "true"), ("True", "true"), ("N", "false"), ("nein", "false")],
)
def test_booleans_are_read_from_words(text: str, category: str) -> None:
    assert ValueFormat(BOOLEAN).category(text) == category


def test_other_words_are_not_booleans() -> None:
    with pytest.raises(ValueError, match="not a boolean such as yes or no"):
        ValueFormat(BOOLEAN).category("maybe")


@pytest.mark.parametrize("text", ["gold", "Gold ", " GOLD", "\uff27old", "go\u00adld".replace("\u00ad", "")])
def test_a_normalized_category_has_no_case_width_or_surrounding_spaces(text: str) -> None:
    assert ValueFormat(normalize=True).category(text) == "gold"


def test_a_normalized_category_has_single_spaces() -> None:
    assert ValueFormat(normalize=True).category("Very\u00a0 good\t one") == "very good one"


def test_missing_values_are_normalized_as_their_column_is() -> None:
    plain, folded = (ValueFormat(normalize=choice, missing_texts=frozenset(["Unknown"])) for choice in (False, True))
    assert plain.category(" Unknown ") is None
    assert plain.category("unknown") == "unknown"
    assert folded.category("UNKNOWN") is None
    assert folded.category("Null") is None


@given(st.text())
@example("\u0345\u03b1")
def test_a_normalized_category_stays_as_it_is(text: str) -> None:
    assert normalized(normalized(text)) == normalized(text)


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(FORMATS))
def test_a_number_of_a_program_stays_itself_unless_it_looks_like_thousands(
    number: float, value_format: ValueFormat
) -> None:
    text = repr(number)
    if value_format.decimal == "," and re.fullmatch(r"-?[1-9][0-9]{0,2}\.[0-9]{3}(e.*)?", text):
        return
    assert value_format.number(text) == number


@given(st.decimals(-(10**12), 10**12, places=2), st.sampled_from("$€£"), st.booleans())
def test_an_amount_in_any_spelling_is_the_same_number(amount: object, sign: str, is_before: bool) -> None:
    text = f"{amount:,.2f}"
    assert POINT.number(f"{sign}{text}" if is_before else f"{text} {sign}") == float(str(amount))
    european = text.translate(str.maketrans(",.", ".,"))
    assert COMMA.number(f"{european}\u00a0{sign}") == float(str(amount))


parts = st.sampled_from(
    [*"0123456789,. '-+()$%€\n\u00a0\u2212\u0661", "12", "234", "000", "kr.", "EUR", "R", "e5", "E-2", "unknown", "NA"]
)
texts = st.one_of(st.lists(parts, max_size=10).map("".join), st.text(max_size=5))


@given(st.lists(texts, max_size=5), st.sampled_from(FORMATS))
@example([" ( 3 ) ", "\n3-", "3\n-"], POINT)
def test_arrow_reads_numbers_as_the_endpoint_does(column: list[str], value_format: ValueFormat) -> None:
    values = present(pa.array(column, pa.string()), value_format)
    plain = plain_numbers(values, value_format).to_pylist()
    numbers = [None if text is None else float(text) for text in plain]
    assert list(zip(values.is_null().to_pylist(), numbers, strict=True)) == [
        read(value_format, text) for text in column
    ]


def read(value_format: ValueFormat, text: str) -> tuple[bool, float | None]:
    """Return whether a text is missing, and its number; None if it is not one."""
    try:
        number = value_format.number(text)
        return number is None, number
    except ValueError:
        return False, None


def test_a_column_of_amounts_becomes_numbers() -> None:
    assert as_numbers(pa.array(["$1,234", "5", None, "NA"]), POINT).to_pylist() == [1234, 5, None, None]
    assert as_numbers(pa.array(["$1,234.5", "5"]), POINT).to_pylist() == [1234.5, 5.0]


def test_a_column_with_another_text_stays_text() -> None:
    assert as_numbers(pa.array(["$1,234 ", "much"]), POINT).to_pylist() == ["$1,234", "much"]


def test_a_column_of_words_becomes_booleans_and_keeps_what_is_neither() -> None:
    words = pa.array(["Yes", "n", "maybe", None, "unknown"])
    value_format = ValueFormat(BOOLEAN, missing_texts=frozenset(["unknown"]))
    assert as_categories(words, value_format).to_pylist() == ["true", "false", "maybe", None, None]


def test_the_schema_names_the_format_of_a_feature() -> None:
    assert feature_format({"name": "spend", "type": "number"}) is None
    feature = {"name": "spend", "type": "number", "format": "currency", "decimal": ","}
    found = feature_format(feature, ["unknown"])
    assert found == ValueFormat(CURRENCY, ",", missing_texts=frozenset(["unknown"]))
    assert found.number("unknown") is None
    assert math.isclose(found.number("0,5 €") or 0, 0.5)


def test_the_message_of_a_plain_number_does_not_name_a_format_that_is_refused():
    with pytest.raises(ValueError, match=r"not a number such as 1234\.5$"):
        ValueFormat(missing_texts=frozenset({"k.A."})).number("1,234.50")
