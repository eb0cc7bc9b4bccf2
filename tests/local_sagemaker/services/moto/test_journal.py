"""The journal of moto's state: imported from earlier versions, compacted, and never without an acknowledged request."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from local_sagemaker.services.moto import journal as journal_module
from local_sagemaker.services.moto.journal import Journal
from local_sagemaker.storage.database import Database
from tests.local_sagemaker.services.moto.test_compaction import alarm, parameter


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "state.sqlite")


def append(journal: Journal, item: dict[str, Any]) -> int:
    with journal.appended(item) as number:
        return number


def test_the_file_of_an_earlier_version_is_imported_without_its_damaged_lines(
    tmp_path: Path, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "moto.jsonl"
    first, second = ({**item, "operation": None} for item in (alarm("a", 1), parameter("b", 2)))
    lines = [json.dumps(first), "\xff{", "[1]", json.dumps(second), '{"seed": 1, "half a li']
    file.write_bytes("\n".join(lines).encode("latin-1"))
    with caplog.at_level(logging.WARNING):
        journal = Journal(database, file)
    assert [item for _, item in journal.entries()] == [alarm("a", 1), parameter("b", 2)]
    assert [record.message for record in caplog.records] == [f"{file}: skipped damaged lines: 2, 3, 5"]
    assert not file.exists()
    assert [item for _, item in Journal(database, file).entries()] == [alarm("a", 1), parameter("b", 2)]


def test_an_import_that_was_interrupted_is_repeated(tmp_path: Path, database: Database) -> None:
    file = tmp_path / "moto.jsonl"
    for _ in range(2):
        # the second time as if the server had ended before it removed the file
        file.write_text(json.dumps(alarm("a", 1)) + "\n")
        assert len(Journal(database, file).entries()) == 1


def test_an_entry_is_there_before_its_request_is_executed_and_removed_if_that_fails(
    tmp_path: Path, database: Database
) -> None:
    journal = Journal(database, tmp_path / "none")
    assert not journal
    with journal.appended(alarm("a", 1)):
        # another process would see it
        assert len(Database(database.path).read("SELECT entry FROM moto_journal")) == 1
    with pytest.raises(ZeroDivisionError), journal.appended(alarm("b", 1)):
        raise ZeroDivisionError
    journal.remove(append(journal, alarm("c", 1)))
    assert journal
    assert [item for _, item in journal.entries()] == [alarm("a", 1)]


def test_the_journal_is_compacted_when_it_has_grown_and_at_start(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "_COMPACT_FROM", 10)
    journal = Journal(database, tmp_path / "none")
    longest = 0
    for number in range(100):
        journal.compact_if_grown()
        append(journal, alarm("a", number))
        longest = max(longest, len(journal.entries()))
    assert longest == 10
    for number in range(20):
        append(journal, alarm("a", number))
    (entry,) = Journal(database, tmp_path / "none").entries()
    assert entry[1] == alarm("a", 19)


def test_a_damaged_entry_is_logged_and_the_rest_used(
    tmp_path: Path, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with database.transaction() as connection:
        connection.execute("INSERT INTO moto_journal (entry) VALUES ('{')")
    journal = Journal(database, tmp_path / "none")
    append(journal, alarm("a", 1))
    assert [number for number, _ in journal.entries()] == [2]
    assert "moto's journal, entry 1: skipped" in caplog.text
