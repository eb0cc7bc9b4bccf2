import resource
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local_sagemaker.data_dir import DataDir
from local_sagemaker.storage.database import Database
from local_sagemaker.storage.record_query import Query
from local_sagemaker.storage.records import DamagedRecord, RecordStore

NAMES = st.text(min_size=1, max_size=300)
RECORDS = st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text()))


@pytest.fixture
def store(tmp_path: Path) -> RecordStore:
    return store_of(tmp_path)


def store_of(folder: Path) -> RecordStore:
    data_dir = DataDir(folder)
    return RecordStore(data_dir, Database(data_dir.database))


def test_the_next_store_finds_the_records_in_the_order_of_their_creation(tmp_path: Path, store: RecordStore) -> None:
    for name in ("zebra", "ant", "group/10", "group/9"):
        store.put("kind", name, {"Name": name})
    store.put("kind", "zebra", {"Name": "zebra", "again": True})
    expected = [{"Name": "zebra", "again": True}, {"Name": "ant"}, {"Name": "group/10"}, {"Name": "group/9"}]
    assert store.all("kind") == expected
    again = store_of(tmp_path)
    assert again.all("kind") == expected
    again.put("kind", "last", {})
    assert store_of(tmp_path).all("kind")[-1] == {}


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=st.dictionaries(NAMES, RECORDS, min_size=1, max_size=5))
def test_every_name_is_a_separate_record(records: dict[str, dict], store: RecordStore) -> None:
    kind = str(uuid.uuid4())
    for name, record in records.items():
        store.put(kind, name, record)
    assert {name: store.get(kind, name) for name in records} == records
    assert store.all(kind) == list(records.values())


def test_reads_return_copies(store: RecordStore) -> None:
    record = {"list": [1]}
    store.put("kind", "name", record)
    record["list"].append(2)
    store.get("kind", "name")["list"].append(3)  # type: ignore[index]
    store.all("kind")[0]["list"].append(4)
    assert store.get("kind", "name") == {"list": [1]}


def test_an_update_merges_into_an_existing_record(store: RecordStore) -> None:
    store.put("kind", "name", {"a": 1, "b": 1})
    assert store.update("kind", "name", b=2, c=3) == {"a": 1, "b": 2, "c": 3}
    with pytest.raises(KeyError, match="no kind is called 'other'"):
        store.update("kind", "other", a=1)


def test_a_deleted_record_is_gone_and_can_be_created_again(tmp_path: Path, store: RecordStore) -> None:
    store.put("kind", "name", {})
    store.delete("kind", "name")
    store.delete("kind", "name")
    assert store.get("kind", "name") is None
    assert store_of(tmp_path).all("kind") == []
    assert store.create("kind", "name", {"new": True})


def test_concurrent_updates_are_not_lost(tmp_path: Path, store: RecordStore) -> None:
    store.put("kind", "name", {})

    def change(number: int) -> None:
        store.update("kind", "name", **{f"change {number}": True})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(change, range(100)))
    assert len(store.get("kind", "name") or {}) == 100
    assert len(store_of(tmp_path).get("kind", "name") or {}) == 100


def test_only_one_of_many_threads_creates_a_record(store: RecordStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        created = list(pool.map(lambda number: store.create("kind", "name", {"by": number}), range(32)))
    assert created.count(True) == 1
    assert store.get("kind", "name") == {"by": created.index(True)}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"ModelName": "ba', "it is not JSON"),
        ("[]", "it is not a structure"),
        ('{"ModelName": "bad", "ModelArn": "arn"}', "it lacks CreationTime"),
        ('{"ModelName": "bad", "CreationTime": "today", "ModelArn": "arn"}', "CreationTime must be a time, not today"),
    ],
)
def test_a_damaged_record_is_named_and_the_others_are_served(
    tmp_path: Path, text: str, fault: str, caplog: Any
) -> None:
    database = Database(tmp_path / "state.sqlite")
    store = RecordStore(DataDir(tmp_path), database)
    for name in ("a", "bad", "c"):
        store.put("model", name, model(name))
    with database.transaction() as connection:
        connection.execute("UPDATE records SET record = ? WHERE name = 'bad'", [text])
    assert store.all("model") == [model("a"), model("c")]
    assert store.first(Query("model", sort="title", descending=True)) == model("c")
    assert [record["ModelName"] for record in store.find(Query("model", sort="title"), limit=2)] == ["a", "c"]
    with pytest.raises(DamagedRecord, match=rf"model record 'bad' in .*state\.sqlite is damaged \({fault}"):
        store.get("model", "bad")
    assert caplog.text.count("'bad'") == 1
    store.put("model", "bad", model("bad"))
    assert store.get("model", "bad") == model("bad")


def model(name: str) -> dict[str, Any]:
    return {"ModelName": name, "ModelArn": f"arn:{name}", "CreationTime": 1.0}


def test_a_failed_write_leaves_the_old_record(tmp_path: Path, store: RecordStore) -> None:
    store.put("kind", "name", {"old": True})
    with full_disk(tmp_path), pytest.raises(OSError, match="disk"):
        store.put("kind", "name", {"new": "x" * 1_000_000})
    assert store.get("kind", "name") == store_of(tmp_path).get("kind", "name") == {"old": True}


def test_a_change_that_the_disk_refuses_is_in_memory_until_there_is_space(tmp_path: Path, store: RecordStore) -> None:
    store.put("kind", "name", {"old": True})
    with full_disk(tmp_path):
        store.update_best_effort("kind", "name", new="x" * 1_000_000)
        assert store.get("kind", "name") == store.all("kind")[0] == {"old": True, "new": "x" * 1_000_000}
        assert store_of(tmp_path).get("kind", "name") == {"old": True}
    end = time.monotonic() + 30
    while store_of(tmp_path).get("kind", "name") != store.get("kind", "name"):
        assert time.monotonic() < end
        time.sleep(0.05)


@contextmanager
def full_disk(folder: Path) -> Iterator[None]:
    """Let no file of this process grow beyond the largest of the folder's."""
    largest = max(path.stat().st_size for path in folder.iterdir())
    _, hard = limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


WRITER = """
import sys
from pathlib import Path
from local_sagemaker.data_dir import DataDir
from local_sagemaker.storage.database import Database
from local_sagemaker.storage.records import RecordStore

data_dir = DataDir(Path(sys.argv[1]))
store = RecordStore(data_dir, Database(data_dir.database))
for number in range(1_000_000):
    store.put("kind", f"{number}", {"number": number, "filling": "x" * 2000})
    print(number, flush=True)
"""


def test_no_acknowledged_write_is_lost_when_the_process_is_killed(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for _ in range(50):
        process.stdout.readline()
    process.kill()
    acknowledged = 50 + len(process.stdout.read().split())
    process.wait()
    process.stdout.close()
    numbers = [record["number"] for record in store_of(tmp_path).all("kind")]
    assert numbers[:acknowledged] == list(range(acknowledged))


def test_listeners_hear_of_changes_in_their_order(store: RecordStore) -> None:
    heard: list[tuple[str | None, str | None]] = []
    store.listen(["kind"], lambda kind, name, before, after: heard.append((before, after)))
    store.put("kind", "name", {})
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: store.update("kind", "name", last=number), range(40)))
    store.delete("kind", "name")
    assert [before for before, _ in heard[1:]] == [after for _, after in heard[:-1]]
    assert heard[0][0] is None and heard[-1][1] is None


def test_changes_of_a_transaction_are_made_together_or_not_at_all(tmp_path: Path, store: RecordStore) -> None:
    heard: list[str] = []
    store.listen(["kind"], lambda kind, name, before, after: heard.append(name))
    with pytest.raises(ZeroDivisionError), store.transaction():
        store.put("kind", "a", {})
        assert store.get("kind", "a") == {}
        raise ZeroDivisionError
    assert store.all("kind") == [] and heard == []
    with store.transaction():
        store.put("kind", "a", {})
        store.put("kind", "b", {})
        assert heard == []
    assert heard == ["a", "b"]
    assert len(store_of(tmp_path).all("kind")) == 2
