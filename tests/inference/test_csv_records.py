"""Long CSV bodies are parsed by Arrow and short ones by Python, with the same results."""

from __future__ import annotations

import csv_records
import numpy as np
import pytest
from csv_records import read_long, read_records
from features import Feature, Features
from hypothesis import given
from hypothesis import strategies as st
from request_errors import InputError

from analyzer.value_formats import ValueFormat

FEATURES = (Feature("age", None), Feature("plan", {"gold": 0, "3": 1, "true": 2}), Feature("income", None))
NAMES = [feature.name for feature in FEATURES]

# Short ones, so that small bodies are long and have several pieces.
LONG_BODY, PIECE_BYTES = 300, 100

NUMBERS = (
    st.floats(allow_nan=False, allow_infinity=False).map(repr)
    | st.integers(-(10**25), 10**25).map(str)
    | st.sampled_from(["", "NA", "-nan", " 7 ", ".5", "5.", "1E3", "1e-400", "-0"])
)
ODD_NUMBERS = st.sampled_from(
    ["+1", "inf", "-Infinity", "NAN", "1_0", "0x1", "1e999", "\t2", "\uff12", "1 2", "--1", "+-1"]
)
PLANS = st.sampled_from(["gold", " gold ", "3.0", "3", "TRUE", "silver", "", "NA", "é", " ", "\t"])


@pytest.fixture(autouse=True, scope="module")
def shorter_bodies_are_long():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_records, "LONG_BODY", LONG_BODY)
        patch.setattr(csv_records, "PIECE_BYTES", PIECE_BYTES)
        patch.setattr(csv_records, "as_texts", checked(csv_records.as_texts))
        yield


def checked(as_texts):
    """Check the arrays that are made of buffers: Arrow itself does not, and a wrong one would crash the process."""

    def make(lines: bytes, bounds: np.ndarray):
        texts = as_texts(lines, bounds)
        texts.validate(full=True)
        return texts

    return make


def by_python(text: str, features: Features) -> np.ndarray:
    records = read_records(text, features)
    return np.array([features.encode(record, row) for row, record in enumerate(records, start=1)]).T


def by_arrow(text: str, features: Features) -> np.ndarray | None:
    batches = read_long(text, features)
    return None if batches is None else np.concatenate(list(batches), axis=1)


def long_body(header: list[str], rows: list[list[str]], line_end: str = "\n") -> str:
    """Repeat the rows until the body is long."""
    lines = [",".join(row) for row in rows]
    lines = lines * (LONG_BODY // len("".join(lines)) + 1)
    return line_end.join([",".join(header), *lines] if header else lines) + line_end


@given(
    st.lists(st.tuples(NUMBERS, PLANS, NUMBERS), min_size=1, max_size=8),
    st.sampled_from(["\n", "\r\n"]),
    st.none() | st.permutations(NAMES).flatmap(lambda names: st.sampled_from([names, names[:2]])),
)
def test_both_readers_read_the_same_numbers(rows, line_end, header):
    """The header has the names in any order, one of which may be omitted; None for no header."""
    order = [NAMES.index(name) for name in header or NAMES]
    text = long_body(header or [], [[row[index] for index in order] for row in rows], line_end)
    columns = by_arrow(text, Features(FEATURES))
    assert columns is not None, "Arrow reads all of this"
    np.testing.assert_array_equal(columns, by_python(text, Features(FEATURES)))


@given(st.lists(st.tuples(NUMBERS | ODD_NUMBERS, PLANS, NUMBERS | ODD_NUMBERS), min_size=1, max_size=5))
def test_arrow_accepts_a_number_only_if_python_does(rows):
    features = Features(FEATURES)
    text = long_body([], rows)
    columns = by_arrow(text, features)
    if columns is not None:
        np.testing.assert_array_equal(columns, by_python(text, features))


FORMATTED = (
    Feature("age", None, ValueFormat("currency", missing_texts=frozenset(["unknown"]))),
    Feature("plan", {"false": 0, "true": 1}, ValueFormat("boolean", missing_texts=frozenset(["unknown"]))),
    Feature("income", None, ValueFormat(missing_texts=frozenset(["unknown"]))),
)
AMOUNTS = NUMBERS | st.sampled_from(
    ["$5", " 1 234.5 kr ", "(3)", "3-", "-\u20ac3", "unknown", " unknown", "1'000", "R1"]
)
WORDS = st.sampled_from(["yes", " No", "TRUE", "0", "1.0", "", "NA", "unknown"])


@given(st.lists(st.tuples(AMOUNTS, WORDS, NUMBERS | st.just("unknown")), min_size=1, max_size=8))
def test_both_readers_read_the_same_values_as_people_write_them(rows):
    text = long_body([], rows)
    columns = by_arrow(text, Features(FORMATTED))
    assert columns is not None, "Arrow reads all of this"
    np.testing.assert_array_equal(columns, by_python(text, Features(FORMATTED)))


@pytest.mark.parametrize("line", ["$,yes,1", "1,maybe,1", "1,yes,$1"])
def test_values_in_no_format_are_left_to_the_python_reader(line):
    text = "$1,yes,2\n" * LONG_BODY + f"{line}\n"
    assert read_long(text, Features(FORMATTED)) is None
    with pytest.raises(InputError, match=f"row {LONG_BODY + 1}: feature .* is '.*', not a"):
        by_python(text, Features(FORMATTED))


@given(st.integers(1, 3), st.text("1,\n\r \x0b\x0c.-eNA", min_size=1, max_size=40), st.booleans())
def test_arrow_reads_a_body_only_as_python_does(width, text, has_header):
    """Blank lines, lines of other lengths, spaces, and no end of the last line."""
    features = Features((Feature("a", None), Feature("b", {"1": 0, "NA": 1}), Feature("c", None))[:width])
    text = ",".join(features.names) + "\n" + text if has_header else text
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_records, "LONG_BODY", 0)
        columns = by_arrow(text, features)
    if columns is not None:
        np.testing.assert_array_equal(columns, by_python(text, features))


@pytest.mark.parametrize(
    "text", ["1,gold,2\n3,,NA", "1,gold,2\r\n3,, \n\n\n", "age,plan,income\n1,gold,2\n nan ,3.0,1e3\n"]
)
def test_arrow_reads_spaces_and_words_for_missing_values_and_an_unfinished_last_line(text, monkeypatch):
    monkeypatch.setattr(csv_records, "LONG_BODY", 0)
    columns = by_arrow(text, Features(FEATURES))
    assert columns is not None
    np.testing.assert_array_equal(columns, by_python(text, Features(FEATURES)))


@pytest.mark.parametrize(
    "line",
    ["1,gold", "1,gold,2,3", '1,"gold",2', "1,gold,inf", "1,gold,nan(1)", "1,gold,x", "1,gold,1_0"],
)
def test_unusual_values_are_left_to_the_python_reader(line):
    text = "1,gold,2\n" * LONG_BODY + f"{line}\n"
    assert read_long(text, Features(FEATURES)) is None


def test_names_of_a_long_body_are_checked():
    text = "age,shoe size\n" + "1,2\n" * LONG_BODY
    assert read_long(text, Features(FEATURES)) is None
    ignoring = Features(FEATURES, ignore_unknown=True)
    columns = by_arrow(text, ignoring)
    assert columns is not None
    np.testing.assert_array_equal(columns, by_python(text, ignoring))
    assert read_long("age,age\n" + "1,2\n" * LONG_BODY, ignoring) is None


def test_a_quoted_field_may_contain_separators_and_line_ends():
    features = Features(FEATURES)
    records = list(read_records('plan,age\r\n"a,\r\nb",1\r\n"say ""gold""",2\r\n', features))
    assert records == [("1", "a,\r\nb", ""), ("2", 'say "gold"', "")], "in the model's order, which has an income, too"


def test_lines_may_end_with_a_carriage_return():
    assert list(read_records("1,gold,2\r3,gold,4\r", Features(FEATURES))) == [["1", "gold", "2"], ["3", "gold", "4"]]


def test_rows_are_counted_without_the_header():
    with pytest.raises(InputError, match="row 2 has 1 fields, but the header has 2"):
        list(read_records("plan,age\ngold,1\ngold\n", Features(FEATURES)))
