"""Find the error in a CSV file and its line, which Arrow does not know, as it reads chunks in parallel."""

from __future__ import annotations

import csv
import io

from preprocessing.reading.csv_text import CsvFormat, not_encoded, open_csv
from preprocessing.reading.files import InputFile
from preprocessing.report import DataError, plural

# A longer field has a quote that was never closed.
MAX_FIELD_CHARACTERS = 64 << 20
csv.field_size_limit(MAX_FIELD_CHARACTERS)


def find_fault(file: InputFile, csv_format: CsvFormat, fields: int) -> DataError | None:
    """Read a whole file again, from its first line, to find the first error.

    Args:
        file: The file.
        csv_format: How it is written.
        fields: The number of columns.
    """
    with io.BufferedReader(open_csv(file, csv_format)) as lines:
        for number, line in enumerate(lines, start=1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                return not_encoded(file.name, "utf-8", number, line[error.start])
    with io.TextIOWrapper(io.BufferedReader(open_csv(file, csv_format)), "utf-8-sig", newline="") as text:
        rows = csv.reader(text, delimiter=csv_format.separator, strict=True)
        last_good = 0
        try:
            for row in rows:
                if row and len(row) != fields:
                    return wrong_fields(file, csv_format, rows.line_num, len(row), fields)
                last_good = rows.line_num
        except csv.Error as error:
            if "unexpected end of data" in str(error) or "field limit" in str(error):
                return DataError(
                    f"{file.name} line {last_good + 1} opens a quote that is never closed; close it or remove it"
                )
    return None


def wrong_fields(file: InputFile, csv_format: CsvFormat, line: int, count: int, fields: int) -> DataError:
    separator = {",": "commas", ";": "semicolons", "\t": "tabs"}.get(csv_format.separator, repr(csv_format.separator))
    return DataError(
        f"{file.name} line {line} has {plural('field', count)}, but the header has {fields}; quote fields that contain "
        f"{separator}, or remove the line"
    )
