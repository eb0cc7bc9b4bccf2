"""The database of a data directory."""

from __future__ import annotations

import errno
import resource
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from local_sagemaker.app import build
from local_sagemaker.data_dir import DataDir
from local_sagemaker.storage.database import MIGRATIONS, DamagedDatabase, Database, DatabaseClosed

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


def test_other_threads_see_a_change_once_it_is_committed(path: Path) -> None:
    database = Database(path)
    query = "SELECT name FROM records"
    with ThreadPoolExecutor(1) as other:
        with database.transaction() as connection:
            connection.execute(INSERT, ["a"])
            assert database.read(query) == [("a",)]
            assert other.submit(database.read, query).result() == []
        assert other.submit(database.read, query).result() == [("a",)]


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


def test_writes_that_wait_for_each_other_share_a_commit(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database(path)
    groups: list[int] = []
    commit = database._commit
    monkeypatch.setattr(database, "_commit", lambda group: (groups.append(group.size), commit(group)))
    first_is_writing, others_wait = threading.Event(), threading.Event()

    def write(name: str) -> None:
        with database.transaction() as connection:
            connection.execute(INSERT, [name])
            if name == "0":
                first_is_writing.set()
                assert others_wait.wait(30)

    threads = [threading.Thread(target=write, args=[str(number)]) for number in range(10)]
    threads[0].start()
    assert first_is_writing.wait(30)
    for thread in threads[1:]:
        thread.start()
    while database._waiting < 9:
        time.sleep(0.01)
    others_wait.set()
    for thread in threads:
        thread.join()
    assert groups == [10]
    assert len(database.read("SELECT name FROM records")) == 10


def test_a_failing_write_does_not_undo_those_that_share_its_commit(path: Path) -> None:
    database = Database(path)
    kept, failed = [], []

    def write(number: int) -> None:
        try:
            with database.transaction() as connection:
                connection.execute(INSERT, [str(number)])
                if number % 3 == 0:
                    raise ZeroDivisionError
        except ZeroDivisionError:
            failed.append(str(number))
        else:
            kept.append(str(number))

    threads = [threading.Thread(target=write, args=[number]) for number in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(failed) == 20
    assert {name for (name,) in database.read("SELECT name FROM records")} == set(kept)


def test_a_commit_that_the_disk_refuses_is_an_error_for_all_who_share_it(path: Path) -> None:
    database = Database(path)
    with database.transaction() as connection:
        connection.execute(INSERT, ["before"])
    _, hard = limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    refused = []

    def write(number: int) -> None:
        try:
            with database.transaction() as connection:
                connection.execute(
                    "INSERT INTO records (kind, name, record) VALUES ('model', ?, ?)", (number, "x" * 10**5)
                )
        except OSError as error:
            refused.append(error.errno)

    resource.setrlimit(resource.RLIMIT_FSIZE, (max(file.stat().st_size for file in path.parent.iterdir()), hard))
    try:
        threads = [threading.Thread(target=write, args=[number]) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert refused == [errno.ENOSPC] * 20
    assert database.read("SELECT name FROM records") == [("before",)]
    with database.transaction() as connection:
        connection.execute(INSERT, ["after"])
    assert Database(path).read("SELECT name FROM records ORDER BY position") == [("before",), ("after",)]


def test_a_closed_database_says_so(path: Path) -> None:
    database = Database(path)
    database.close()
    with pytest.raises(DatabaseClosed, match=r"state\.sqlite is closed"):
        database.read("SELECT 1")
    with pytest.raises(DatabaseClosed, match=r"state\.sqlite is closed"), database.transaction():
        pass


def test_an_empty_database_of_a_data_directory_in_use_is_refused(tmp_path: Path) -> None:
    data_dir = DataDir(tmp_path)
    data_dir.objects.mkdir()
    data_dir.database.touch()
    with pytest.raises(DamagedDatabase, match="is empty, although the data directory has been used"):
        build(data_dir, cloudwatch=None)  # type: ignore[arg-type]
