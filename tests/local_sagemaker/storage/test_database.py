"""The database of a data directory."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from local_sagemaker.storage.database import MIGRATIONS, DamagedDatabase, Database

INSERT = "INSERT INTO records (kind, name, record) VALUES ('model', ?, '{}')"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.sqlite"


def test_a_committed_change_is_there_after_reopening(path: Path) -> None:
    database = Database(path)
    with database.transaction() as connection:
        connection.execute(INSERT, ["a"])
    assert Database(path).read("SELECT name FROM records") == [("a",)]


def test_an_error_undoes_the_whole_transaction_that_it_ends(path: Path) -> None:
    database = Database(path)
    with pytest.raises(ZeroDivisionError), database.transaction() as connection:
        connection.execute(INSERT, ["a"])
        with database.transaction():
            raise ZeroDivisionError
    assert database.read("SELECT name FROM records") == []


def test_readers_see_the_last_commit_while_a_transaction_is_open(path: Path) -> None:
    database = Database(path)
    with database.transaction() as connection:
        connection.execute(INSERT, ["a"])
        assert database.read("SELECT name FROM records") == []


def test_threads_read_and_write_at_once(path: Path) -> None:
    database = Database(path)

    def write(first: int) -> None:
        for number in range(first, first + 20):
            with database.transaction() as connection:
                connection.execute(INSERT, [str(number)])
            assert database.read("SELECT name FROM records WHERE name = ?", [str(number)])

    threads = [threading.Thread(target=write, args=[first]) for first in range(0, 100, 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert database.read("SELECT count(*) FROM records") == [(100,)]


def test_a_file_that_is_not_a_database_is_named(path: Path) -> None:
    path.write_bytes(b"not a database" * 1000)
    with pytest.raises(DamagedDatabase, match=r"state\.sqlite is damaged"):
        Database(path)


def test_a_database_of_a_newer_version_is_refused(path: Path) -> None:
    Database(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(DamagedDatabase, match="newer version"):
        Database(path)
