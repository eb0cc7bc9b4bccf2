"""Fixtures of the container scripts' tests: the scripts as modules, with real data.

These tests also run on the library versions of the container image, so they import only what the image has.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import sys
import tarfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
for folder in (".", "processing_scripts", "training_scripts", "inference"):
    sys.path.insert(0, str(REPOSITORY / folder))

# More threads than free cores are slower than one thread on such small data.
os.environ["SM_NUM_CPUS"] = os.environ["OMP_NUM_THREADS"] = "1"

hypothesis.settings.register_profile("scripts", deadline=None, max_examples=50)
hypothesis.settings.load_profile("scripts")


@dataclass(frozen=True)
class Preprocessed:
    """The output folder of a run of preprocess.py, and its error message, None if it succeeded."""

    output: Path
    error: str | None

    @property
    def schema(self) -> dict[str, Any]:
        return json.loads((self.output / "schema" / "schema.json").read_text(encoding="utf-8"))

    @property
    def report(self) -> dict[str, Any]:
        return json.loads((self.output / "report" / "validation_report.json").read_text(encoding="utf-8"))

    def check(self, name: str) -> dict[str, Any]:
        (check,) = [check for check in self.report["checks"] if check["name"] == name]
        return check

    def rows(self, name: str) -> list[dict[str, str]]:
        """Read the rows of train, validation, test or baseline as CSV writes them, by column."""
        path = self.output / name / f"{name}.csv"
        if path.exists():
            return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))
        table = pq.read_table(path.with_suffix(".parquet"))
        texts = [column.cast(pa.float64()).cast(pa.string()).fill_null("").to_pylist() for column in table.columns]
        return [dict(zip(table.column_names, row, strict=True)) for row in zip(*texts, strict=True)]

    def training_arguments(self, folder: Path) -> list[str]:
        """Make the arguments of train.py, for output under the folder."""
        channels = [
            item for name in ("train", "validation", "schema") for item in (f"--{name}", str(self.output / name))
        ]
        places = ["--model_dir", str(folder / "model"), "--output_data_dir", str(folder / "data")]
        return [*channels, *places, "--inference_code", str(REPOSITORY / "inference")]


@pytest.fixture
def run_preprocess(tmp_path: Path) -> Callable[..., Preprocessed]:
    """Run preprocess.py on the content of a file, or on files by name, with further arguments of its command line."""
    import preprocess

    runs: Iterator[int] = iter(range(1000))

    def run(files: str | bytes | dict[str, str | bytes], *arguments: str) -> Preprocessed:
        folder = tmp_path / f"run-{next(runs)}"
        for name, content in (files if isinstance(files, dict) else {"data.csv": files}).items():
            path = folder / "input" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        defaults = {"--problem-type": "BinaryClassification", "--target-column": "target", "--min-rows": "10"}
        defaults |= {"--input-dir": str(folder / "input"), "--output-dir": str(folder / "output")}
        given = [item for name, value in defaults.items() if name not in arguments for item in (name, value)]
        try:
            preprocess.main([*given, *arguments])
        except SystemExit as exit_:
            return Preprocessed(folder / "output", str(exit_.code))
        return Preprocessed(folder / "output", None)

    return run


def read_table(
    folder: Path, text_columns: Collection[str] = (), dropped: Collection[str] = (), csv_format: Any = None
) -> pa.Table:
    """Read all files under a folder with preprocess.py's readers, as one table of the types that they find."""
    from preprocessing.columns import as_comparable, as_doubles
    from preprocessing.reading import CsvFormat, FileTypes, InputSchema, list_files, read_tables

    chunks, types = [], []
    for file in list_files(folder):
        types.append(FileTypes(file))
        for table in read_tables(file, text_columns, csv_format or CsvFormat(), dropped):
            types[-1].add(table)
            chunks.append(table)
    schema = InputSchema(types, dropped)
    if any(file.must_read_as_text(schema.text_columns) for file in types):
        return read_table(folder, {*text_columns, *schema.text_columns}, dropped, csv_format)

    def convert(column: pa.ChunkedArray | None, rows: int, type_: pa.DataType) -> pa.ChunkedArray:
        if column is None or column.type == pa.null():
            return pa.chunked_array([pa.nulls(rows, type_)])
        if type_ == pa.float64():
            return as_doubles(column)
        return as_comparable(column).cast(type_) if type_ == pa.string() else column.cast(type_)

    tables = []
    for chunk in chunks:
        columns = dict(zip(chunk.column_names, chunk.columns, strict=True))
        converted = {name: convert(columns.get(name), len(chunk), type_) for name, type_ in schema.types.items()}
        tables.append(pa.table(converted))
    return pa.concat_tables(tables)


@dataclass(frozen=True)
class Project:
    """A preprocessed dataset, the model trained on it, and the log of the training."""

    name: str
    data: Preprocessed
    model: Path
    printed: str

    @property
    def metrics(self) -> dict[str, Any]:
        return json.loads((self.model / "metrics.json").read_text(encoding="utf-8"))

    def packed(self, folder: Path) -> Path:
        """Write model.tar.gz into the folder, and return the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        with tarfile.open(folder / "model.tar.gz", "w:gz") as archive:
            for path in sorted(self.model.rglob("*")):
                archive.add(path, path.relative_to(self.model), recursive=False)
        return folder


@pytest.fixture
def run_train(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[Path, str]]:
    """Run train.py on preprocessed data; returns its output folder and its log."""
    import train

    runs: Iterator[int] = iter(range(1000))

    def run(data: Preprocessed, *hyperparameters: str) -> tuple[Path, str]:
        folder = tmp_path / f"training-{next(runs)}"
        capsys.readouterr()
        train.main([*data.training_arguments(folder), *hyperparameters])
        return folder, capsys.readouterr().out

    return run


@pytest.fixture(scope="session")
def make_project(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Project]:
    """Preprocess and train on a dataset, once: cancer, wine, diabetes or mixed (see `mixed_data`)."""
    import preprocess
    import train

    projects: dict[str, Project] = {}

    def make(name: str) -> Project:
        if name not in projects:
            folder = tmp_path_factory.mktemp(name)
            problem_type, text = raw_data(name)
            (folder / "input").mkdir()
            (folder / "input" / "data.csv").write_text(text, encoding="utf-8")
            target = ["--problem-type", problem_type, "--target-column", "target"]
            preprocess.main([*target, "--input-dir", str(folder / "input"), "--output-dir", str(folder / "output")])
            data = Preprocessed(folder / "output", None)
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                train.main(data.training_arguments(folder))
            projects[name] = Project(name, data, folder / "model", printed.getvalue())
        return projects[name]

    return make


def raw_data(name: str) -> tuple[str, str]:
    """Return the problem type and the data as CSV."""
    from sklearn import datasets

    if name == "mixed":
        return "BinaryClassification", mixed_data()
    problem_type, load = {
        "cancer": ("BinaryClassification", datasets.load_breast_cancer),
        "wine": ("MulticlassClassification", datasets.load_wine),
        "diabetes": ("Regression", datasets.load_diabetes),
    }[name]
    content = load()
    lines = [",".join([*content.feature_names, "target"])]
    lines += [
        ",".join(map(repr, [*row, target]))
        for row, target in zip(content.data.tolist(), content.target.tolist(), strict=True)
    ]
    return problem_type, "\n".join(lines) + "\n"


def mixed_data() -> str:
    """Make the wine data less clean: texts, booleans and missing values, a text target, names with commas."""
    from sklearn import datasets

    wine = datasets.load_wine()
    file = io.StringIO()
    lines = csv.writer(file)
    lines.writerow(["alcohol, %", "colour", "malic acid", "proline above 700", "vineyard", "target"])
    for number, (row, target) in enumerate(zip(wine.data.tolist(), wine.target.tolist(), strict=True)):
        colour = ["pale", "medium", "deep"][int(row[9] > 3) + int(row[9] > 6)]
        acid = "" if number % 7 == 0 else row[1]
        lines.writerow(
            [
                row[0],
                colour,
                acid,
                row[12] > 700,
                "" if number % 5 else f"N° {number % 3}",
                ["barolo", "other", "other"][target],
            ]
        )
    return file.getvalue()
