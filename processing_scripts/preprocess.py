"""Preprocess: validate a table, split it, encode it for LightGBM.

Reads CSV or Parquet, one file or all files under the input folder (names that begin with a dot or an underscore are not
data); drops exact duplicates and rows without a target; checks the data; splits it; learns category codes and label
classes on the training split alone.

Written under the output folder:
    train/train.csv, validation/..., test/...   encoded numbers, header, target first; a missing value is an empty field
    baseline/baseline.csv                       the training split's features with the values as they came in
    schema/schema.json                          problem type, target, features with their categories, classes
    report/validation_report.json               every check with its severity, status, columns, message and numbers

A column holds either numbers or categories: text and booleans are categories, and so are dates of which nobody made
numbers. Target, time and group columns are no features. MISSING lists what counts as missing in text.

An error is what no model should be trained on. An infinity is one, in a feature too: a JSON request cannot carry it,
means and drift distances are undefined with it, and it is nearly always a division by zero upstream. So is a column
with nothing in it, nearly always a broken join. What LightGBM copes with is a warning: outliers, constant columns, rare
classes, columns like ids.

Exit status: 0; 1 when the data cannot be used, with the reason as the last line on stderr: then no split is written,
but the report is; 2 when an argument is wrong.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

BINARY, MULTICLASS, REGRESSION = "BinaryClassification", "MulticlassClassification", "Regression"
SPLITS = ("train", "validation", "test")
ERROR, WARNING = "error", "warning"

# what counts as missing in text; inference.py reads requests by the same list
MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "-NaN", "-nan", "NULL", "null", "<NA>", "#N/A")
NUMBER_PATTERN = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
DATE_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].*)?$"

OTHER_FORMATS = {
    "a ZIP archive or an Excel workbook": rb"PK\x03\x04",
    "gzip": rb"\x1f\x8b",
    "JSON": rb"\s*([\[{]\s*[\[{\"]|\{\s*\})",
    "HTML or XML": rb"(?i)\s*<(!doctype|html|\?xml)",
    "binary data": rb"(?s).*\x00",
}

# from these shares on a warning is due
LOOKS_LIKE = 0.9
ID_LIKE_DISTINCT = 0.5
RARE_CLASS = 0.05
SPLIT_DEVIATION = 0.05

# SageMaker returns the first kilobyte of this file as the job's ExitMessage
EXIT_MESSAGE = Path("/opt/ml/output/message")


class DataError(Exception):
    """The data cannot be used; the message names the thing, the value and the next move."""


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse_arguments(arguments)
    report = Report()
    failure = None
    try:
        preprocess(options, report)
    except DataError as error:
        failure = str(error)
    write_json(report.content(), options.output_dir / "report" / "validation_report.json")
    if failure:
        fail(failure)


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = parser.add_argument
    add("--problem-type", required=True, choices=(BINARY, MULTICLASS, REGRESSION))
    add("--target-column", required=True)
    add("--positive-class", help="binary only; default: the last of the two classes in sorted order")
    add("--drop-columns", nargs="*", default=[])
    add("--categorical-columns", nargs="*", default=[], help="besides text and booleans, which always are")
    add(
        "--split-strategy",
        choices=("random", "time", "group"),
        default="random",
        help="random: stratified by class; time: the latest rows are the test split; group: no group is in two splits",
    )
    add("--time-column", help="numbers, or ISO 8601 dates or times")
    add("--group-column")
    add("--train-share", type=float, default=0.7)
    add("--validation-share", type=float, default=0.1)
    add("--test-share", type=float, default=0.2)
    add("--seed", type=int, default=42)
    add("--min-rows", type=int, default=50)
    add("--max-missing-share", type=float, default=0.95, help="of any one feature")
    add("--outlier-z-score", type=float, default=8.0, help="the robust z-score from which on a value is an outlier")
    add("--input-dir", type=Path, default=Path("/opt/ml/processing/input/data"))
    add("--output-dir", type=Path, default=Path("/opt/ml/processing/output"))
    options = parser.parse_args(arguments)

    options.shares = (options.train_share, options.validation_share, options.test_share)
    if min(options.shares) <= 0 or abs(sum(options.shares) - 1) > 1e-6:
        parser.error(f"the shares of train, validation and test must be above 0 and add up to 1, not {options.shares}")
    options.split_column = {"random": None, "time": options.time_column, "group": options.group_column}[
        options.split_strategy
    ]
    if options.split_strategy != "random" and not options.split_column:
        parser.error(f"--split-strategy {options.split_strategy} needs --{options.split_strategy}-column")
    return options


def preprocess(options: argparse.Namespace, report: Report) -> None:
    """Validate, split, encode and write the table under ``options.input_dir``; fill ``report`` on the way.

    Raises:
        DataError: the data cannot be used, and nothing was written.
    """
    with report.recording("input"):
        table, name = read_table(options.input_dir, options.categorical_columns)
    with report.recording("columns"):
        features = choose_features(table, name, options)

    table = drop_unusable_rows(table, options, report)
    check_rows(table, options, report)
    check_features(table, features, options, report)
    check_target(table[options.target_column], options, report)
    split_key = check_split_column(table, options, report)
    report.raise_errors()

    assignment = assign_splits(table[options.target_column], split_key, options)
    parts = {split: table.take(pa.array(np.flatnonzero(assignment == i))) for i, split in enumerate(SPLITS)}
    schema = learn_schema(parts["train"], features, options)
    check_splits(parts, schema, options, report)
    report.raise_errors()

    for split, part in parts.items():
        write_csv(encode(part, schema), options.output_dir / split / f"{split}.csv")
    write_csv(parts["train"].select(features), options.output_dir / "baseline" / "baseline.csv")
    write_json(schema, options.output_dir / "schema" / "schema.json")

    sizes = ", ".join(f"{split} {len(part)}" for split, part in parts.items())
    print(f"{name}: {len(table)} usable rows ({sizes}), {len(features)} features")
    for message in report.messages(WARNING):
        print(f"warning: {message}")


def fail(message: str) -> NoReturn:
    if EXIT_MESSAGE.parent.is_dir():
        EXIT_MESSAGE.write_text(message.encode()[:1024].decode(errors="ignore"), encoding="utf-8")
    sys.exit(message)


class Report:
    """The checks so far, in order: what validation_report.json holds."""

    def __init__(self) -> None:
        self.checks: list[dict[str, Any]] = []
        self.problems: list[tuple[str, str]] = []

    def add(
        self, name: str, severity: str, problems: Mapping[str, str] | Sequence[str] = (), /, **numbers: object
    ) -> None:
        """Record a check, which failed when it found problems: one sentence each, or one by column."""
        columns, sentences = ([*problems], [*problems.values()]) if isinstance(problems, Mapping) else ([], problems)
        self.checks.append(
            {
                "name": name,
                "severity": severity,
                "status": "failed" if problems else "passed",
                "columns": columns,
                "message": " | ".join(sentences),
                "numbers": numbers,
            }
        )
        self.problems += [(severity, sentence) for sentence in sentences]

    @contextlib.contextmanager
    def recording(self, name: str) -> Iterator[None]:
        """Record what the block raises as an error of its own, which the later checks cannot do without."""
        try:
            yield
        except DataError as error:
            self.add(name, ERROR, [str(error)])
            raise
        self.add(name, ERROR)

    def messages(self, severity: str) -> list[str]:
        return [sentence for its_severity, sentence in self.problems if its_severity == severity]

    def raise_errors(self) -> None:
        """Raise all errors at once, so that nobody has to mend them one run at a time."""
        if errors := self.messages(ERROR):
            raise DataError(" | ".join(errors))

    def content(self) -> dict[str, Any]:
        return {"version": 1, "status": "failed" if self.messages(ERROR) else "passed", "checks": self.checks}


# --- reading ---


def read_table(folder: Path, text_columns: Sequence[str] = ()) -> tuple[pa.Table, str]:
    """All files under a folder as one table, and what messages call it.

    Columns come as int64, double or string with null for what is missing. text_columns: those to read as text whatever
    they hold, so that "007" stays "007".

    Raises:
        DataError: no file, no rows, or a file that is no readable CSV or Parquet table of the same columns.
    """
    names = {
        path: str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)
    }
    if not names:
        raise DataError(
            f"there is no file under {folder}; check that the input URI is that of a file or a prefix of files"
        )
    parts = {path: read_file(path, name, text_columns) for path, name in names.items()}
    first, *others = parts
    columns = parts[first].column_names
    for path in others:
        if set(parts[path].column_names) != set(columns):
            raise DataError(
                f"{names[path]} has other columns ({listed(parts[path].column_names)}) than {names[first]} "
                f"({listed(columns)}); all files must have the same"
            )
    schema = pa.schema([(column, common_type(part[column].type for part in parts.values())) for column in columns])
    # what is text in one file is text in all, and is read again so that it stays as it was written
    text = {field.name for field in schema if field.type == pa.string()}
    for path, part in parts.items():
        if any(is_number(part[column].type) for column in text):
            parts[path] = read_file(path, names[path], [*text_columns, *text])
    table = pa.concat_tables(part.select(columns).cast(schema) for part in parts.values())
    name = names[first] if not others else f"{folder.name} ({len(names)} files)"
    if not len(table):
        raise DataError(f"{name} has a header and no rows; check the program that wrote it")
    return table, name


def common_type(types: Iterable[pa.DataType]) -> pa.DataType:
    known = set(types) - {pa.null()}
    if len(known) == 1:
        return known.pop()
    return pa.float64() if known <= {pa.int64(), pa.float64()} else pa.string()


def read_file(path: Path, name: str, text_columns: Sequence[str]) -> pa.Table:
    with path.open("rb") as file:
        start = file.read(65536)
    if not start.strip():
        raise DataError(f"{name} is empty; check the program that wrote it")
    if start.startswith(b"PAR1"):
        table = read_parquet(path, name)
    else:
        refuse_other_formats(start, name)
        table = read_csv(path, name, set(text_columns))
    return pa.table({column: simplify(table[column], column in text_columns) for column in table.column_names})


def refuse_other_formats(start: bytes, name: str) -> None:
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{name} is UTF-16; save it as UTF-8")
    found = next((kind for kind, pattern in OTHER_FORMATS.items() if re.match(pattern, start)), None)
    if found:
        raise DataError(f"{name} is neither CSV nor Parquet (it looks like {found}); convert it to one of them")


def read_parquet(path: Path, name: str) -> pa.Table:
    try:
        table = pa.parquet.ParquetFile(path).read()
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{name} begins like Parquet but cannot be read ({error}); write it again") from error
    # pandas keeps the index of a data frame in such columns
    table = table.drop_columns(
        [column for column in table.column_names if re.fullmatch(r"__index_level_\d+__", column)]
    )
    check_names(table.column_names, name)
    return table


def read_csv(path: Path, name: str, text_columns: set[str]) -> pa.Table:
    header = read_header(path, name)
    try:
        table = pa.csv.read_csv(
            path,
            read_options=pa.csv.ReadOptions(column_names=header, skip_rows_after_names=1),
            parse_options=pa.csv.ParseOptions(newlines_in_values=True),
            convert_options=pa.csv.ConvertOptions(
                null_values=MISSING, strings_can_be_null=True, column_types=dict.fromkeys(text_columns, pa.string())
            ),
        )
    except pa.ArrowInvalid as error:
        raise find_fault(path, name, len(header)) or DataError(f"{name} cannot be read as CSV: {error}") from error
    if (has_odd_quotes(path) or pa.binary() in table.schema.types) and (fault := find_fault(path, name, len(header))):
        raise fault
    # Arrow would rewrite booleans and dates, but a category is the text that was written
    rewritten = {
        field.name for field in table.schema if pa.types.is_boolean(field.type) or pa.types.is_temporal(field.type)
    }
    return read_csv(path, name, text_columns | rewritten) if rewritten else table


def read_header(path: Path, name: str) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as text:
            header = [column.strip() for column in next(row for row in csv.reader(text) if row)]
    except UnicodeDecodeError:
        raise find_fault(path, name, 0) or DataError(f"{name} is not UTF-8; save it as UTF-8") from None
    except (csv.Error, StopIteration) as error:
        raise DataError(f"{name} cannot be read as CSV: {error}") from error
    if len(header) == 1 and (separator := next((sign for sign in ";\t|" if sign in header[0]), None)):
        raise DataError(f"the columns of {name} are separated by {separator!r}; save it with commas")
    check_names(header, name)
    return header


def check_names(columns: Sequence[str], name: str) -> None:
    if "" in columns:
        raise DataError(
            f"column {columns.index('') + 1} of {name} has no name; name it in the header, or, if it is the index of a "
            "pandas data frame, write the file with index=False"
        )
    if repeated := sorted({column for column in columns if columns.count(column) > 1}):
        raise DataError(
            f"{name} has more than one column named {listed(map(repr, repeated))}; rename or remove the others"
        )


def find_fault(path: Path, name: str, fields: int) -> DataError | None:
    """What is wrong in a CSV file, with its line: Arrow reads blocks in parallel and cannot say where."""
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                byte = line[error.start]
                return DataError(f"{name} is not UTF-8: line {number} holds the byte 0x{byte:02x}; save it as UTF-8")
    with path.open(encoding="utf-8-sig", newline="") as text:
        rows = csv.reader(text, strict=True)
        last_good = 0
        try:
            for row in rows:
                if row and len(row) != fields:
                    return DataError(
                        f"{name} line {rows.line_num} has {plural('field', len(row))} where the header "
                        f"has {fields}; put fields that hold a comma in quotes, or remove the line"
                    )
                last_good = rows.line_num
        except csv.Error as error:
            if str(error) == "unexpected end of data":
                return DataError(
                    f"{name} line {last_good + 1} opens a quote that is never closed; close it or remove it"
                )
    return None


def has_odd_quotes(path: Path) -> bool:
    """Whether the quotes of a file do not pair up, so that one of them may have swallowed the rows behind it."""
    with path.open("rb") as file:
        return sum(block.count(b'"') for block in iter(lambda: file.read(1 << 24), b"")) % 2 == 1


def simplify(column: pa.ChunkedArray, as_text: bool) -> pa.ChunkedArray:
    """A column as int64, double or string with null for what is missing; lists, bytes and the like stay as they are."""
    type_ = column.type
    if pa.types.is_dictionary(type_):
        return simplify(column.cast(type_.value_type), as_text=True)
    if pa.types.is_integer(type_) and not pa.types.is_uint64(type_):
        column = column.cast(pa.int64())
    elif pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_):
        column = column.cast(pa.float64(), safe=False)
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, pa.float64()), column)
    elif pa.types.is_boolean(type_) or pa.types.is_temporal(type_) or pa.types.is_large_string(type_):
        column = column.cast(pa.string())
    if as_text and is_number(column.type):
        column = column.cast(pa.string())
    if pa.types.is_string(column.type):
        missing = pc.is_in(pc.utf8_trim_whitespace(column), value_set=pa.array(MISSING))
        column = pc.if_else(missing, pa.scalar(None, pa.string()), column)
    return column


# --- validating ---


def choose_features(table: pa.Table, name: str, options: argparse.Namespace) -> list[str]:
    """The feature columns, in the order of the table; raises DataError where the settings do not fit it."""
    settings = {
        "target_column": [options.target_column],
        "time_column": [options.time_column] if options.time_column else [],
        "group_column": [options.group_column] if options.group_column else [],
        "drop_columns": options.drop_columns,
        "categorical_columns": options.categorical_columns,
    }
    absent = [
        (setting, column)
        for setting, columns in settings.items()
        for column in columns
        if column not in table.column_names
    ]
    if absent:
        raise DataError(
            " | ".join(
                f"column {column!r} is not in {name} (columns: {listed(table.column_names)}); set {setting}"
                for setting, column in absent
            )
        )
    if options.target_column in options.drop_columns:
        raise DataError(
            f"column {options.target_column!r} is the target and in drop_columns; take it out of drop_columns"
        )
    taken = {options.target_column, options.time_column, options.group_column, *options.drop_columns}
    features = [column for column in table.column_names if column not in taken]
    if not features:
        raise DataError(
            f"{name} has no column besides {listed(filter(None, taken))}; a model needs at least one feature"
        )
    for column in [*features, options.target_column]:
        if not (is_number(table[column].type) or pa.types.is_string(table[column].type)):
            raise DataError(
                f"column {column!r} holds {table[column].type}, which is neither number, text, boolean nor time; "
                "drop it with drop_columns, or make columns of what is in it"
            )
    return features


def drop_unusable_rows(table: pa.Table, options: argparse.Namespace, report: Report) -> pa.Table:
    """The table without exact duplicates (the first one stays) and without rows that lack a target."""
    target, rows = options.target_column, len(table)
    # grouped under numbers for names, as a column may have any name; Arrow cannot group by lists and structs
    *keys, position = map(str, range(table.num_columns + 1))
    values = [pa.array(map(repr, c.to_pylist())) if pa.types.is_nested(c.type) else c for c in table.columns]
    numbered = pa.table([*values, pa.array(np.arange(rows))], names=[*keys, position])
    kept = numbered.group_by(keys, use_threads=False).aggregate([(position, "min")])[f"{position}_min"]
    duplicates = rows - len(kept)
    if duplicates:
        table = table.take(kept.sort())
    unlabelled = table[target].null_count
    if unlabelled:
        table = table.filter(table[target].is_valid())
    if options.problem_type != REGRESSION:
        table = table.set_column(table.column_names.index(target), target, as_labels(table[target]))

    problem = f"dropped {duplicates} of {plural('row', rows)} as exact duplicates of others"
    report.add("duplicate_rows", WARNING, [problem] if duplicates else [], rows_read=rows, duplicates=duplicates)
    problem = f"dropped {unlabelled} of {plural('row', rows)} without a value in column {target!r}"
    report.add("rows_without_target", WARNING, {target: problem} if unlabelled else {}, without_target=unlabelled)
    return table


def as_labels(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Class labels: text without blanks around it, whole numbers as integers whatever else made the column double."""
    if pa.types.is_string(column.type):
        return pc.utf8_trim_whitespace(column)
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid:
        return column


def check_rows(table: pa.Table, options: argparse.Namespace, report: Report) -> None:
    problem = f"{len(table)} usable rows are fewer than min_rows ({options.min_rows}); bring more, or lower min_rows"
    enough = len(table) >= max(options.min_rows, len(SPLITS))
    report.add("rows", ERROR, [] if enough else [problem], rows=len(table), min_rows=options.min_rows)


def check_features(table: pa.Table, features: Sequence[str], options: argparse.Namespace, report: Report) -> None:
    """Every check that looks at the columns one by one."""
    missing = {column: table[column].null_count / max(len(table), 1) for column in features}
    empty = [column for column in features if missing[column] == 1]
    report.add(
        "all_missing",
        ERROR,
        {
            column: f"column {column!r} has no value in any row; drop it with drop_columns, or mend its source"
            for column in empty
        },
    )
    report.add(
        "missing_share",
        ERROR,
        {
            column: f"column {column!r} is {share:.1%} missing, more than max_missing_share "
            f"({options.max_missing_share:.1%}); drop it with drop_columns, or raise max_missing_share"
            for column, share in missing.items()
            if share > options.max_missing_share and column not in empty
        },
        max_missing_share=options.max_missing_share,
        missing_shares={column: share for column, share in missing.items() if share},
    )
    distinct = {column: pc.count_distinct(table[column]).as_py() for column in features}
    report.add(
        "constant",
        WARNING,
        {
            column: f"column {column!r} has the same value in every row and teaches nothing; drop it with drop_columns"
            for column in features
            if distinct[column] == 1 and not missing[column]
        },
    )
    check_numbers(table, features, options, report)
    check_texts(table, features, distinct, report)


def check_numbers(table: pa.Table, features: Sequence[str], options: argparse.Namespace, report: Report) -> None:
    """Infinities, and values far from the median in units of the median absolute deviation (MAD).

    The robust z-score is 0.6745 (x - median) / MAD, for normal data close to the ordinary one: B. Iglewicz and D.
    Hoaglin, How to Detect and Handle Outliers, 1993. Where more than half of the values are the same, MAD is 0 and
    nothing is measured.
    """
    infinite: dict[str, int] = {}
    outliers: dict[str, int] = {}
    unmeasured = []
    for column in (column for column in [*features, options.target_column] if is_number(table[column].type)):
        values = table[column].drop_null().to_numpy()
        finite = values[np.isfinite(values)]
        infinite[column] = len(values) - len(finite)
        distances = np.abs(finite - np.median(finite)) if finite.size else finite
        deviation = np.median(distances) if finite.size else 0.0
        if not deviation:
            unmeasured.append(column)
        elif column != options.target_column or options.problem_type == REGRESSION:
            outliers[column] = int((0.6745 * distances > options.outlier_z_score * deviation).sum())
    report.add(
        "infinities",
        ERROR,
        {
            column: f"column {column!r} is infinite in {plural('row', count)}; mend its source (a division by "
            "zero?), or leave the value out"
            for column, count in infinite.items()
            if count
        },
        infinities={column: count for column, count in infinite.items() if count},
    )
    report.add(
        "outliers",
        WARNING,
        {
            column: f"column {column!r} has {plural('value', count)} with a robust z-score above "
            f"{options.outlier_z_score:g}"
            for column, count in outliers.items()
            if count
        },
        outlier_z_score=options.outlier_z_score,
        outliers={column: count for column, count in outliers.items() if count},
        not_measured=unmeasured,
    )


def check_texts(table: pa.Table, features: Sequence[str], distinct: Mapping[str, int], report: Report) -> None:
    """Columns that are probably not meant to be categories, or not to be features at all."""
    like_ids, dates, mixed = {}, {}, {}
    for column in features:
        values = table[column].drop_null()
        if pa.types.is_integer(values.type) and distinct[column] == len(table):
            like_ids[column] = (
                f"column {column!r} has another whole number in each row, like an id; drop it with drop_columns"
            )
        if not pa.types.is_string(values.type) or not len(values):
            continue
        if pc.mean(pc.match_substring_regex(values, DATE_PATTERN)).as_py() >= LOOKS_LIKE:
            dates[column] = (
                f"column {column!r} holds dates, each of which becomes a category; make numbers of them, or drop it"
            )
        elif distinct[column] > ID_LIKE_DISTINCT * len(values):
            like_ids[column] = (
                f"column {column!r} has {distinct[column]} different texts in {len(values)} rows, like an id; "
                "drop it with drop_columns"
            )
        odd = not_numbers(values)
        if 0 < len(odd) <= (1 - LOOKS_LIKE) * len(values):
            mixed[column] = (
                f"column {column!r} is taken for categories because {counted(len(odd), 'value', len(values))} no "
                f"number, as {shortened(odd[0])}; leave such values empty to have numbers"
            )
    report.add("id_like", WARNING, like_ids, distinct={column: distinct[column] for column in like_ids})
    report.add("dates", WARNING, dates)
    report.add("numbers_as_text", WARNING, mixed)


def not_numbers(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    trimmed = pc.utf8_trim_whitespace(texts)
    return trimmed.filter(pc.invert(pc.match_substring_regex(trimmed, NUMBER_PATTERN)))


def check_target(target: pa.ChunkedArray, options: argparse.Namespace, report: Report) -> None:
    name = options.target_column
    if not len(target):
        report.add("target", ERROR, {name: f"column {name!r} has no value in any row; set target_column"})
        return
    if options.problem_type == REGRESSION:
        problem = regression_problem(target, name)
        report.add("target", ERROR, {name: problem} if problem else {}, distinct=pc.count_distinct(target).as_py())
        return
    counts = {entry["values"]: entry["counts"] for entry in target.value_counts().to_pylist()}
    problem = class_problem(target, sorted(counts), options)
    report.add("target", ERROR, {name: problem} if problem else {}, classes=len(counts))
    if problem:
        return
    small = {label: count for label, count in counts.items() if count < len(SPLITS)}
    if options.split_strategy != "random":
        small = {}
    names = listed(f"{shortened(label)} ({plural('row', count)})" for label, count in small.items())
    problem = (
        f"column {name!r} has classes too small to stratify: {names}; each of the three splits needs a row of every "
        "class: bring more rows of them, or leave them out"
    )
    report.add("class_size", ERROR, {name: problem} if small else {})
    rare = {label: count / len(target) for label, count in counts.items() if count < RARE_CLASS * len(target)}
    names = listed(f"{shortened(label)} ({share:.2%})" for label, share in rare.items())
    problem = f"column {name!r} has rare classes: {names}; consider class_weight balanced"
    rows_by_class = {str(label): counts[label] for label in sorted(counts)}
    report.add("class_balance", WARNING, {name: problem} if rare else {}, rows_by_class=rows_by_class)


def regression_problem(target: pa.ChunkedArray, name: str) -> str | None:
    if not is_number(target.type):
        odd = not_numbers(target)
        example = f", as {shortened(odd[0])}" if len(odd) else ""
        return (
            f"column {name!r} is not numeric: {counted(len(odd), 'value', len(target))} no number{example}, and a "
            "Regression predicts numbers; mend them, or set another target_column or problem_type"
        )
    if pc.count_distinct(target).as_py() == 1:
        return f"column {name!r} is {target[0]} in every row, there is nothing to learn; set another target_column"
    return None


def class_problem(target: pa.ChunkedArray, classes: Sequence[Any], options: argparse.Namespace) -> str | None:
    name = f"column {options.target_column!r}"
    if pa.types.is_floating(target.type):
        odd = next((value for value in classes if value % 1), classes[-1])
        return f"{name} has values that are no class labels, as {odd}; is the problem_type Regression?"
    if len(classes) == 1:
        return (
            f"{name} has one class only ({shortened(classes[0])}); bring rows of another, or set another target_column"
        )
    if options.problem_type == MULTICLASS:
        return None
    if len(classes) > 2:
        return (
            f"{name} has {len(classes)} classes ({listed(map(shortened, classes))}) and a {BINARY} two; set "
            f"problem_type to {MULTICLASS}, or set another target_column"
        )
    if options.positive_class is not None and options.positive_class not in map(str, classes):
        return (
            f"positive_class {options.positive_class!r} is not in {name} (classes: {listed(map(shortened, classes))}); "
            "set positive_class to one of them"
        )
    return None


def check_split_column(table: pa.Table, options: argparse.Namespace, report: Report) -> np.ndarray | None:
    """What rows are split by, as numbers: times, or codes of groups; None where that is chance."""
    name = options.split_column
    if name is None:
        return None
    column, kind = table[name], options.split_strategy
    key = as_times(column) if kind == "time" else column.combine_chunks().dictionary_encode().indices
    problem = None
    if column.null_count:
        missing = counted(column.null_count, "row", len(table))
        problem = f"{kind}_column {name!r}: {missing} without a value; fill it in, or leave the rows out"
    elif key is None:
        odd = [text for text in column.unique().to_pylist() if as_times(pa.chunked_array([[text]])) is None]
        found = (
            f"values that are no times, as {shortened(odd[0])}" if odd else "times with and without an offset from UTC"
        )
        problem = f"{kind}_column {name!r} has {found}; write all as 2024-02-29T13:00:00"
    elif (distinct := pc.count_distinct(key).as_py()) < len(SPLITS):
        problem = f"{kind}_column {name!r} has {plural('different value', distinct)}; three splits need three"
    report.add("split_column", ERROR, {name: problem} if problem else {})
    return None if key is None or problem else key.to_numpy()


def as_times(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Times as numbers that rise with time, or None when some are neither numbers nor ISO 8601."""
    if is_number(column.type):
        return column
    texts = pc.utf8_trim_whitespace(column)
    for type_ in (pa.timestamp("us"), pa.timestamp("us", "UTC"), pa.timestamp("ns")):
        with contextlib.suppress(pa.ArrowInvalid):
            return texts.cast(type_).cast(pa.int64())
    return None


# --- splitting ---


def assign_splits(target: pa.ChunkedArray, key: np.ndarray | None, options: argparse.Namespace) -> np.ndarray:
    """The split of each row as an index into SPLITS, shape (n,)."""
    if key is not None and options.split_strategy == "time":
        return split_by_time(key, options.shares)
    if key is not None:
        return split_by_group(key, options.shares, options.seed)
    if options.problem_type == REGRESSION:
        return split_randomly(np.zeros(len(target), np.int64), options.shares, options.seed)
    return split_randomly(target.combine_chunks().dictionary_encode().indices.to_numpy(), options.shares, options.seed)


def split_randomly(strata: np.ndarray, shares: Sequence[float], seed: int) -> np.ndarray:
    """Split each stratum by the shares, to the nearest row; at least one row a split. strata: one number a row."""
    generator = np.random.default_rng(seed)
    assignment = np.empty(len(strata), np.int64)
    for stratum in np.unique(strata):
        rows = generator.permutation(np.flatnonzero(strata == stratum))
        assignment[rows] = np.repeat(np.arange(len(shares)), allot(len(rows), shares))
    return assignment


def allot(rows: int, shares: Sequence[float]) -> np.ndarray:
    """Whole numbers of rows by the method of largest remainders, none of them 0."""
    exact = rows * np.asarray(shares)
    counts = np.floor(exact).astype(np.int64)
    counts[np.argsort(counts - exact, kind="stable")[: rows - counts.sum()]] += 1
    while not counts.all():
        counts[counts.argmax()] -= 1
        counts[counts.argmin()] += 1
    return counts


def split_by_time(times: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """Earlier rows first; a moment's rows stay together, so each split ends before the next one begins."""
    _, moments, counts = np.unique(times, return_inverse=True, return_counts=True)
    rows_through = np.cumsum(counts)
    train_end = np.abs(rows_through[:-2] - shares[0] * len(times)).argmin()
    later = rows_through[train_end + 1 : -1]
    validation_end = train_end + 1 + np.abs(later - (shares[0] + shares[1]) * len(times)).argmin()
    return np.searchsorted([train_end, validation_end], moments)


def split_by_group(groups: np.ndarray, shares: Sequence[float], seed: int) -> np.ndarray:
    """Whole groups, in random order, each to the split that lacks most rows. groups: codes from 0, one a row."""
    sizes = np.bincount(groups)
    lacking = [share * len(groups) for share in shares]
    empty = set(range(len(shares)))
    chosen = np.empty(len(sizes), np.int64)
    for position, group in enumerate(np.random.default_rng(seed).permutation(len(sizes)).tolist()):
        last_chance = len(sizes) - position == len(empty)
        split = max(empty if last_chance else range(len(shares)), key=lacking.__getitem__)
        chosen[group] = split
        lacking[split] -= sizes[group]
        empty.discard(split)
    return chosen[groups]


def check_splits(
    parts: Mapping[str, pa.Table], schema: Mapping[str, Any], options: argparse.Namespace, report: Report
) -> None:
    rows = sum(map(len, parts.values()))
    actual = {split: len(part) / rows for split, part in parts.items()}
    report.add(
        "split_shares",
        WARNING,
        [
            f"the {split} split has {actual[split]:.1%} of the rows instead of {share:.1%}"
            for split, share in zip(SPLITS, options.shares, strict=True)
            if abs(actual[split] - share) > SPLIT_DEVIATION
        ],
        rows={split: len(part) for split, part in parts.items()},
    )
    unseen = {}
    for feature in schema["features"]:
        if feature["type"] == "category":
            known = set(feature["categories"])
            unseen[feature["name"]] = sum(
                category_text(text) not in known
                for split in ("validation", "test")
                for text in parts[split][feature["name"]].unique().drop_null().to_pylist()
            )
    report.add(
        "unseen_categories",
        WARNING,
        {
            column: f"column {column!r} has {plural('category', count)} that the training split lacks; they are read "
            "as missing"
            for column, count in unseen.items()
            if count
        },
    )
    if schema["classes"] is None:
        return
    name = options.target_column
    found = {split: set(part[name].unique().to_pylist()) for split, part in parts.items()}
    everything = set().union(*found.values())
    problems = []
    for split in SPLITS:
        # of many classes one may be absent from a small test split, but of two both are needed to measure anything
        needed = everything if split == "train" or options.problem_type == BINARY else set()
        if lacking := sorted(needed - found[split]):
            problems.append(
                f"the {split} split has no row of class {listed(map(shortened, lacking))} of column {name!r}; bring "
                f"more data, or split by chance instead of by {options.split_strategy}"
            )
    report.add("split_classes", ERROR, problems, classes={split: len(labels) for split, labels in found.items()})


# --- encoding ---


def learn_schema(train: pa.Table, features: Sequence[str], options: argparse.Namespace) -> dict[str, Any]:
    """The schema.json of a training split: what its features and classes are, and in which order."""
    described: list[dict[str, Any]] = []
    for name in features:
        if is_number(train[name].type):
            described.append({"name": name, "type": "number"})
        else:
            texts = {category_text(text) for text in train[name].unique().drop_null().to_pylist()}
            described.append({"name": name, "type": "category", "categories": sorted(texts)})
    classes = None
    if options.problem_type != REGRESSION:
        classes = sorted(train[options.target_column].unique().to_pylist())
        if options.problem_type == BINARY and options.positive_class is not None:
            classes.sort(key=lambda label: str(label) == options.positive_class)
    return {
        "version": 1,
        "problem_type": options.problem_type,
        "target": options.target_column,
        "features": described,
        "classes": classes,
    }


def category_text(value: str) -> str:
    """The text that stands for a category, however a file or a request spells it; inference.py has the same rule.

    Blanks around it do not count, nor does the case of booleans, nor that pandas writes whole numbers as "3.0" where
    others in the column are missing.
    """
    text = value.strip()
    if text.lower() in ("true", "false"):
        return text.lower()
    return re.sub(r"^(-?(?:0|[1-9][0-9]*))\.0+$", r"\1", text)


def encode(part: pa.Table, schema: Mapping[str, Any]) -> pa.Table:
    """Numbers by the schema, the target first; what is missing or not in the schema is null."""
    target, classes = part[schema["target"]], schema["classes"]
    columns = {
        schema["target"]: target if classes is None else pc.index_in(target, value_set=pa.array(classes, target.type))
    }
    for feature in schema["features"]:
        values = part[feature["name"]]
        if feature["type"] == "category":
            codes = {text: code for code, text in enumerate(feature["categories"])}
            written = values.unique().drop_null()
            code_of_written = pa.array([codes.get(category_text(text)) for text in written.to_pylist()], pa.int64())
            values = code_of_written.take(pc.index_in(values, value_set=written).combine_chunks())
        columns[feature["name"]] = values
    return pa.table(columns)


# --- small things ---


def write_csv(table: pa.Table, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}")
    with aside.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerow(table.column_names)
        file.flush()
        pa.csv.write_csv(table, file.buffer, pa.csv.WriteOptions(include_header=False))
    aside.replace(path)


def write_json(content: Mapping[str, Any], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}")
    aside.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    aside.replace(path)


def is_number(type_: pa.DataType) -> bool:
    return type_ in (pa.int64(), pa.float64())


def listed(items: Iterable[object], limit: int = 20) -> str:
    texts = [str(item) for item in items]
    return ", ".join(texts[:limit]) + (f" and {len(texts) - limit} more" if len(texts) > limit else "")


def counted(count: int, noun: str, total: int) -> str:
    """Such as "3 of 120 values are", for sentences about some of many."""
    return f"{count} of {plural(noun, total)} {'is' if count == 1 else 'are'}"


def plural(noun: str, count: int) -> str:
    """Such as "1 row", "2 rows", "3 categories"."""
    return f"{count} {noun if count == 1 else re.sub('y$', 'ie', noun) + 's'}"


def shortened(value: object) -> str:
    text = str(value)
    return repr(text if len(text) <= 40 else text[:37] + "...")


if __name__ == "__main__":
    main()
