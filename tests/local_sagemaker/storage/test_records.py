import json
import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local_sagemaker.data_dir import DataDir
from local_sagemaker.storage.records import DamagedRecord, RecordStore

NAMES = st.text(min_size=1, max_size=300)
RECORDS = st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text()))


@pytest.fixture
def store(tmp_path: Path) -> RecordStore:
    return RecordStore(DataDir(tmp_path))


def test_records_are_there_for_the_next_store_in_the_order_of_their_creation(
    tmp_path: Path, store: RecordStore
) -> None:
    for name in ("zebra", "ant", "group/10", "group/9"):
        store.put("pipeline", name, {"Name": name})
    store.put("pipeline", "zebra", {"Name": "zebra", "again": True})
    expected = [{"Name": "zebra", "again": True}, {"Name": "ant"}, {"Name": "group/10"}, {"Name": "group/9"}]
    assert store.all("pipeline") == expected
    again = RecordStore(DataDir(tmp_path))
    assert again.all("pipeline") == expected
    again.put("pipeline", "last", {})
    assert RecordStore(DataDir(tmp_path)).all("pipeline")[-1] == {}


@settings(max_examples=60, deadline=None)
@given(records=st.dictionaries(NAMES, RECORDS, min_size=1, max_size=5))
def test_any_name_is_a_name_of_its_own(records: dict[str, dict], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("store")
    store = RecordStore(DataDir(folder))
    for name, record in records.items():
        store.put("kind", name, record)
    for reader in (store, RecordStore(DataDir(folder))):
        assert {name: reader.get("kind", name) for name in records} == records
    assert all(path.parent == folder / "records" / "kind" for path in folder.rglob("*.json"))


def test_what_is_read_is_a_copy(store: RecordStore) -> None:
    record = {"list": [1]}
    store.put("kind", "name", record)
    record["list"].append(2)
    store.get("kind", "name")["list"].append(3)  # type: ignore[index]
    store.all("kind")[0]["list"].append(4)
    assert store.get("kind", "name") == {"list": [1]}


def test_an_update_merges_into_the_record_and_needs_one(store: RecordStore) -> None:
    store.put("kind", "name", {"a": 1, "b": 1})
    assert store.update("kind", "name", b=2, c=3) == {"a": 1, "b": 2, "c": 3}
    with pytest.raises(KeyError, match="no kind is called 'other'"):
        store.update("kind", "other", a=1)


def test_a_deleted_record_is_gone_and_may_come_again(tmp_path: Path, store: RecordStore) -> None:
    store.put("kind", "name", {})
    store.delete("kind", "name")
    store.delete("kind", "name")
    assert store.get("kind", "name") is None
    assert RecordStore(DataDir(tmp_path)).all("kind") == []
    assert store.create("kind", "name", {"new": True})


def test_no_update_of_many_threads_is_lost(tmp_path: Path, store: RecordStore) -> None:
    store.put("kind", "name", {})

    def change(number: int) -> None:
        store.update("kind", "name", **{f"change {number}": True})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(change, range(100)))
    assert len(store.get("kind", "name") or {}) == 100
    assert len(RecordStore(DataDir(tmp_path)).get("kind", "name") or {}) == 100


def test_of_many_that_create_the_same_record_one_does(store: RecordStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        created = list(pool.map(lambda number: store.create("kind", "name", {"by": number}), range(32)))
    assert created.count(True) == 1
    assert store.get("kind", "name") == {"by": created.index(True)}


def test_a_damaged_record_is_named_and_the_others_are_served(tmp_path: Path, store: RecordStore) -> None:
    store.put("kind", "good", {"fine": True})
    store.put("kind", "bad", {"fine": True})
    file = tmp_path / "records" / "kind" / "bad.json"
    file.write_text(file.read_text()[:20])
    again = RecordStore(DataDir(tmp_path))
    assert again.all("kind") == [{"fine": True}]
    with pytest.raises(DamagedRecord, match=r"bad\.json cannot be read .* restore the file or delete it"):
        again.get("kind", "bad")
    again.put("kind", "bad", {"fine": "again"})
    assert again.get("kind", "bad") == {"fine": "again"}


def test_a_refusing_disk_leaves_the_old_record(tmp_path: Path, store: RecordStore) -> None:
    store.put("kind", "name", {"old": True})
    _, hard = limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            store.put("kind", "name", {"new": "x" * 10_000})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert store.get("kind", "name") == RecordStore(DataDir(tmp_path)).get("kind", "name") == {"old": True}
    assert [path.name for path in (tmp_path / "records" / "kind").iterdir()] == ["name.json"]


WRITER = """
import sys
from pathlib import Path
from local_sagemaker.data_dir import DataDir
from local_sagemaker.storage.records import RecordStore

store = RecordStore(DataDir(Path(sys.argv[1])))
for number in range(1_000_000):
    store.put("kind", f"{number}", {"number": number, "filling": "x" * 2000})
    print(number, flush=True)
"""


def test_nothing_acknowledged_is_lost_when_the_process_is_killed(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for _ in range(50):
        process.stdout.readline()
    process.kill()
    acknowledged = 50 + len(process.stdout.read().split())
    process.wait()
    process.stdout.close()
    numbers = [record["number"] for record in RecordStore(DataDir(tmp_path)).all("kind")]
    assert numbers[:acknowledged] == list(range(acknowledged))


def test_a_record_is_plain_json_on_disk(tmp_path: Path, store: RecordStore) -> None:
    store.put("model-package", "group/1", {"ModelPackageVersion": 1})
    file = tmp_path / "records" / "model-package" / "group%2F1.json"
    assert json.loads(file.read_text())["record"] == {"ModelPackageVersion": 1}
