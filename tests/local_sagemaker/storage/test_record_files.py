"""Import of the records that earlier versions kept in files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from local_sagemaker.data_dir import DataDir
from local_sagemaker.storage.database import Database
from local_sagemaker.storage.record_query import Query
from local_sagemaker.storage.records import Record, RecordStore

MODELS = [
    {"ModelName": name, "ModelArn": "arn", "CreationTime": created}
    for name, created in (("Zebra", 3.0), ("ant", 1.0), ("bee", 2.0))
]


def write(folder: Path, order: int, record: Record) -> Path:
    """Write a record as earlier versions did."""
    name = record["ModelName"].lower()
    file = folder / "records" / "model" / f"{name}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"name": name, "order": order, "record": record}) + "\n")
    return file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for order, record in enumerate(MODELS, start=7):
        write(tmp_path, order, record)
    return tmp_path


def open_store(folder: Path) -> RecordStore:
    data_dir = DataDir(folder)
    return RecordStore(data_dir, Database(data_dir.database))


def test_the_first_start_moves_the_files_into_the_database(folder: Path) -> None:
    (folder / "records" / "model" / ".1-2.part").write_text("{")
    store = open_store(folder)
    assert not (folder / "records").exists()
    assert store.all("model") == MODELS
    assert [model["ModelName"] for model in store.find(Query("model", sort="created"))] == ["ant", "bee", "Zebra"]
    assert open_store(folder).all("model") == MODELS


def test_a_damaged_file_is_named_and_stays_until_it_is_restored(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = folder / "records" / "model" / "ant.json"
    whole = file.read_text()
    file.write_text(whole[:20])
    assert open_store(folder).all("model") == [MODELS[0], MODELS[2]]
    assert f"the record {file} cannot be read" in caplog.text
    assert list((folder / "records").rglob("*.json")) == [file]
    file.write_text(whole)
    assert open_store(folder).all("model") == [MODELS[0], MODELS[2], MODELS[1]]
    assert not (folder / "records").exists()


def test_an_import_that_was_interrupted_is_repeated(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "unlink", interrupted)
        open_store(folder)
    store = open_store(folder)
    assert store.all("model") == MODELS
    assert not (folder / "records").exists()


def test_a_file_does_not_replace_a_newer_record(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    open_store(folder).update("model", "ant", CreationTime=5.0)
    file = write(folder, 1, MODELS[1])
    assert (open_store(folder).get("model", "ant") or {})["CreationTime"] == 5.0
    assert f"{file} is not imported" in caplog.text and file.exists()
