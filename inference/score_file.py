"""Predict the rows of a Parquet file with the model that this folder belongs to, without an endpoint.

`python code/score_file.py --input rows.parquet --output predictions.parquet` reads the columns that are features of the
model, by their names; others are ignored, and a feature without a column is missing in each row. Values are read as
those of a CSV request. `pipelines predict` runs it, and Evaluate, to compare a new model with the approved one by the
code with which that one is served.

Output, a row for each row of the input in its order:
    COLUMN               each column of the input that --keep names
    prediction           the class, or the number
    probability          two classes: that of the positive one; more: that of the predicted one
    probability_CLASS    more than two classes: that of each class
    reason_1 ...         with --reasons, the features that add most to the raw score, such as "tenure = 3 (+0.83)"
    contributions        with --contributions, what each column of the model adds to the raw score (TreeSHAP), and the
                         base value; for more than two classes, these numbers for each class, one after the other

Exit status 0; 1 if a row cannot be read, with the reason as the last line on stderr.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from explanations import has_linear_trees
from model import Model, load_model
from request_bodies import CSV, read_request
from request_errors import InputError
from response_bodies import BINARY, MULTICLASS

BATCH_ROWS = 10_000
# Numbers of contributions in memory at once, which bounds the rows of a batch where each has many.
MAX_CONTRIBUTIONS = 1 << 22


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--input", type=Path, required=True, help="Parquet file of records")
    parser.add_argument("--output", type=Path, required=True, help="Parquet file to write")
    parser.add_argument("--keep", nargs="*", default=[], metavar="COLUMN", help="columns of the input to keep")
    parser.add_argument("--reasons", type=int, default=0, metavar="COUNT", help="reasons for each prediction")
    parser.add_argument("--contributions", action="store_true", help="all contributions to the raw scores")
    parser.add_argument("--model-dir", type=Path, default=Path(__file__).resolve().parent.parent)
    options = parser.parse_args(arguments)
    model = load_model(options.model_dir, ignore_unknown=False, is_limited=False)
    try:
        score_file(model, options.input, options.output, options.keep, options.reasons, options.contributions)
    except InputError as error:
        sys.exit(error.message)


def score_file(
    model: Model,
    source: Path,
    destination: Path,
    kept: Sequence[str] = (),
    reasons: int = 0,
    contributions: bool = False,
) -> None:
    """Predict the rows of a file, a batch at a time.

    Args:
        model: The model.
        source: A Parquet file.
        destination: The Parquet file to write; it has its name only when it is complete.
        kept: Columns of the source to put before the predictions.
        reasons: How many reasons to give for each prediction.
        contributions: Whether to add the contributions of all columns of the model.

    Raises:
        InputError: The file has no rows or none of the features, a value does not match its feature, or the model
            cannot be explained.
    """
    partial = destination.with_name(f".{destination.name}")
    done = 0
    with contextlib.ExitStack() as stack:
        stack.callback(partial.unlink, missing_ok=True)
        file = stack.enter_context(pq.ParquetFile(source))
        present = set(file.schema_arrow.names)
        names = [name for name in model.features.names if name in present]
        if not names:
            raise InputError(f"{source.name} has none of the model's features ({', '.join(model.features.names)})")
        writer = None
        for batch in file.iter_batches(batch_rows(model, contributions), columns=[*names, *kept]):
            try:
                table = predict(model, batch.select(names), reasons, contributions)
            except InputError as error:
                raise InputError(f"after {done} rows: {error.message}" if done else error.message) from None
            # a column of that name may come from an earlier prediction
            for place, name in enumerate([name for name in kept if name not in table.column_names]):
                table = table.add_column(place, name, batch[name])
            if writer is None:
                writer = stack.enter_context(pq.ParquetWriter(partial, table.schema))
            writer.write_table(table)
            done += len(batch)
        if writer is None:
            raise InputError(f"{source.name} has no rows; give a file with records")
        writer.close()
        partial.replace(destination)


def batch_rows(model: Model, contributions: bool) -> int:
    width = model.booster.num_scores * (model.booster.num_features + 1)
    return min(BATCH_ROWS, max(1, MAX_CONTRIBUTIONS // width)) if contributions else BATCH_ROWS


def predict(model: Model, batch: pa.RecordBatch, reasons: int = 0, contributions: bool = False) -> pa.Table:
    """Predict records, and return the columns of the output."""
    request = read_request(as_csv(batch), CSV)
    # encoding takes longer than a prediction, so that with contributions it is done once for both
    encoded = [*model.encoded_batches(request)] if contributions else []
    scores = model.predict_encoded(encoded) if contributions else np.asarray(model.predict(request))
    response, columns = model.response_format, {}
    if response.problem_type == MULTICLASS:
        scores = scores.reshape(len(batch), -1)
        columns["prediction"] = labels(model).take(pa.array(scores.argmax(axis=1)))
        columns["probability"] = pa.array(scores.max(axis=1))
        for key, of_class in zip(response.keys, scores.T, strict=True):
            columns[f"probability_{json.loads(key)}"] = pa.array(np.ascontiguousarray(of_class))
    elif response.problem_type == BINARY:
        columns["prediction"] = labels(model).take(pa.array((scores >= response.decision_threshold).astype(np.int8)))
        columns["probability"] = pa.array(scores)
    else:
        columns["prediction"] = pa.array(scores)
    if reasons:
        texts = [reason_texts(explanation, reasons) for explanation in model.explain(request, scores, reasons)]
        columns |= {f"reason_{place}": pa.array(of_place) for place, of_place in enumerate(zip(*texts, strict=True), 1)}
    if contributions:
        columns["contributions"] = contributions_of(model, encoded)
    return pa.table(columns)


def contributions_of(model: Model, encoded: Sequence[np.ndarray]) -> pa.FixedSizeListArray:
    """Compute what each column of the model adds to the raw scores of encoded records, and the base values."""
    if has_linear_trees(model.booster):
        raise InputError("the model has linear trees, which LightGBM cannot explain; train it without linear_tree")
    numbers = np.concatenate([*map(model.booster.contributions_of_columns, encoded)])
    return pa.FixedSizeListArray.from_arrays(pa.array(numbers.ravel()), numbers[0].size)


def reason_texts(explanation: str, count: int) -> list[str]:
    """Write the contributions of an explanation, the largest first; empty texts where the model has fewer columns."""
    texts = [
        f"{item['feature']} = {value_text(item['value'])} ({item['contribution']:+.3g})"
        for item in json.loads(explanation)["contributions"]
    ]
    return texts + [""] * (count - len(texts))


def value_text(value: float | str | None) -> str:
    """Write the value of a feature; a whole number without a fraction, as it mostly is in the data."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "missing" if value is None else str(value)


def labels(model: Model) -> pa.Array:
    """Return the classes in the order of the model's output."""
    return pa.array([json.loads(label) for label in model.response_format.labels])


def as_csv(batch: pa.RecordBatch) -> str:
    """Write records as a CSV request, whose texts are in quotes only where they must be."""
    columns = [
        column.dictionary_decode() if pa.types.is_dictionary(column.type) else column for column in batch.columns
    ]
    styles = ["none", "needed"]
    if len(columns) == 1:
        # a missing value by itself would be an empty line, which is not a record
        columns, styles = [columns[0].cast(pa.string()).fill_null("")], ["needed"]
    header = io.StringIO()
    csv.writer(header, lineterminator="\n").writerow(batch.schema.names)
    table = pa.table(columns, batch.schema.names)
    for style in styles:
        body = pa.BufferOutputStream()
        with contextlib.suppress(pa.ArrowInvalid):
            pa.csv.write_csv(table, body, pa.csv.WriteOptions(include_header=False, quoting_style=style))
            return header.getvalue() + body.getvalue().to_pybytes().decode()
    raise InputError(f"the columns {', '.join(batch.schema.names)} cannot be written as CSV; convert them to texts")


if __name__ == "__main__":
    main()
