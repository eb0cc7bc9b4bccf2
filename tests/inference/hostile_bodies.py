"""Bodies that ask for as much work as possible, for the model of the project "mixed"."""

from __future__ import annotations

import json
from collections.abc import Callable

CSV, JSON, LINES = "text/csv", "application/json", "application/jsonlines"

# A content type, and a function that makes a body of about that many bytes.
Shape = tuple[str, Callable[[int], str]]


def repeated(unit: str, before: str = "", after: str = "", last: str | None = None) -> Callable[[int], str]:
    """Return a function that makes a text of a given size: before, units, the last unit if it is another, after."""

    def make(size: int) -> str:
        number = max(1, (size - len(before) - len(after)) // len(unit))
        return before + unit * (number - (last is not None)) + (last or "") + after

    return make


def array(unit: str, last: str | None = None) -> Callable[[int], str]:
    return repeated(f"{unit},", "[", "]", last or unit)


def names(size: int) -> list[str]:
    return [f"k{number:x}" for number in range(size // 7)]


# The features of the model: "alcohol, %" (a number), colour, malic acid (a number), "proline above 700", vineyard.
SHAPES: dict[str, Shape] = {
    # few bytes for a record
    "empty objects": (JSON, array("{}")),
    "empty objects as instances": (JSON, repeated("{},", '{"instances": [', "]}", "{}")),
    "objects with a key": (JSON, array('{"colour":1}')),
    "objects with an unknown key at the end": (JSON, array("{}", '{"z":1}')),
    "objects with an invalid value at the end": (JSON, array("{}", '{"malic acid":"x"}')),
    "objects with an array at the end": (JSON, array("{}", "[1]")),
    "empty arrays": (JSON, array("[]")),
    "arrays of zeros": (JSON, array("[0,0,0,0,0]")),
    "arrays of nulls": (JSON, array("[null,null,null,null,null]")),
    "arrays of texts": (JSON, array('["1","a","1","b","c"]')),
    "arrays of several types": (JSON, array('[1,"a",null,true,1]')),
    "objects and arrays in turn": (JSON, array("{},[1,1,1,1,1]")),
    "lines of empty objects": (LINES, repeated("{}\n")),
    "lines of arrays": (LINES, repeated("[1,1,1,1,1]\n")),
    "lines of numbers": (LINES, repeated("1\n")),
    "a column": (CSV, repeated("1\n", "malic acid\n")),
    "a quoted column": (CSV, repeated("1\n", '"malic acid"\n')),
    "a column with an infinity at the end": (CSV, repeated("1\n", "malic acid\n", last="inf\n")),
    "a column with a text at the end": (CSV, repeated("1\n", '"malic acid"\n', last="x\n")),
    "a column with a long row at the end": (CSV, repeated("1\n", "malic acid\n", last="1,1\n")),
    "distinct categories": (CSV, lambda size: "colour\n" + "".join(f"{name}\n" for name in names(size))),
    "distinct quoted categories": (CSV, lambda size: '"colour"\n' + "".join(f"{name}\n" for name in names(size))),
    "rows of commas": (CSV, repeated(",,,,\n")),
    "rows of quotes": (CSV, repeated('"","","","",""\n')),
    "rows that end with a carriage return": (CSV, repeated("1,a,1,b,c\r")),
    # many names
    "distinct keys": (JSON, lambda size: json.dumps(dict.fromkeys(names(size), 1))),
    "distinct keys and a duplicate": (
        JSON,
        lambda size: json.dumps(dict.fromkeys(names(size), 1))[:-1] + f', "{names(size)[-1]}": 2}}',
    ),
    "unknown columns": (CSV, lambda size: ",".join(["colour", *names(size)]) + "\n1\n"),
    "unknown columns and a duplicate": (
        CSV,
        lambda size: ",".join(["colour", *names(size), names(size)[-1]]) + "\n1\n",
    ),
    "one column many times": (CSV, repeated("colour,")),
    # long values
    "digits": (JSON, repeated("9", '{"malic acid": ', "}")),
    "digits of a fraction": (JSON, repeated("9", '{"malic acid": 1.', "}")),
    "digits of an exponent": (JSON, repeated("9", '{"malic acid": 1e', "}")),
    "integers of 4,000 digits": (JSON, array('{"malic acid":' + "9" * 4000 + "}")),
    "categories of 4,000 digits": (JSON, array('{"colour":' + "9" * 4000 + "}")),
    "a text of digits": (JSON, repeated("9", '{"malic acid": "', '"}')),
    "a text of digits and a letter": (JSON, repeated("9", '{"malic acid": "', 'x"}')),
    "a category of digits": (JSON, repeated("9", '{"colour": "', '.x"}')),
    "a category of zeros": (JSON, repeated("0", '{"colour": "1.', 'x"}')),
    "escapes": (JSON, repeated("\\u0041", '{"colour": "', '"}')),
    "blanks in a text": (JSON, repeated(" ", '{"malic acid": "1', '1"}')),
    "blanks in a field": (CSV, repeated(" ", "malic acid\n1", "1\n")),
    "a field of digits": (CSV, repeated("9", "malic acid\n", "x\n")),
    "a category field of digits": (CSV, repeated("9", "colour\n", ".x\n")),
    # much of one thing
    "an array of numbers": (JSON, array("1")),
    "an array of texts": (JSON, array('"a"')),
    "numbers out of range": (JSON, array("1e999")),
    "brackets": (JSON, repeated("[")),
    "nested arrays": (JSON, array("[" * 500 + "]" * 500)),
    "nested objects": (JSON, array('{"a":{}}')),
    "blanks": (JSON, repeated(" ", "{", "}")),
    "blank lines of JSON": (LINES, repeated("\n", "{}")),
    "blank lines": (CSV, repeated("\n", "malic acid\n1")),
    "carriage returns": (CSV, repeated("\r")),
    "a wide row": (CSV, repeated("1,")),
    "quotes": (CSV, repeated('"')),
    "lines of a quote": (CSV, repeated('"\n')),
    "an open quote": (CSV, repeated("1\n", '"')),
    "NULs": (CSV, repeated("\0")),
    "lines of NULs": (CSV, repeated("\0\n", "malic acid\n")),
    "digits that are not ASCII": (CSV, repeated("٣\n", "malic acid\n")),
}
