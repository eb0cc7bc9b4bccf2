"""Versions of objects: the store is a list of versions a key, whatever is written, and whenever a write is cut off."""

import itertools
import os
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from local_sagemaker.data_dir import DataDir
from local_sagemaker.storage import objects as objects_module
from local_sagemaker.storage.database import Database
from local_sagemaker.storage.object_info import IsDeleteMarker, Metadata, NoSuchVersion
from local_sagemaker.storage.objects import ObjectStore

# a key that is the folder of another
KEYS = st.sampled_from(["a", "a/b", "c"])
MARKER = None
# version id and content, newest first; the content of a delete marker is None
Versions = list[tuple[str, str | None]]


def store(folder: Path) -> ObjectStore:
    data_dir = DataDir(folder)
    return ObjectStore(data_dir, Database(data_dir.database))


def put(objects: ObjectStore, key: str, content: str) -> str:
    temporary = objects.temporary_path()
    temporary.write_text(content)
    return objects.put_temporary("bucket", key, temporary, Metadata("etag", {"content-type": content})).version_id


def listed(objects: ObjectStore, key: str) -> Versions:
    return [
        (info.version_id, MARKER if info.is_delete_marker else info.headers["content-type"])
        for info in objects.versions("bucket", key)
    ]


class VersionedBucket(RuleBasedStateMachine):
    """The model: a list of versions for each key, as AWS's documentation describes it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.objects = store(self.folder)
        self.objects.create_bucket("bucket")
        self.model: dict[str, Versions] = {}
        self.status: str | None = None
        self.contents = (f"content {number}" for number in itertools.count())

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    def add(self, key: str, version_id: str, content: str | None) -> None:
        versions = self.model.get(key, [])
        if version_id == "null":
            versions = [version for version in versions if version[0] != "null"]
        self.model[key] = [(version_id, content), *versions]

    @rule(key=KEYS)
    def put_object(self, key: str) -> None:
        content = next(self.contents)
        version_id = put(self.objects, key, content)
        assert (version_id == "null") == (self.status != "Enabled")
        self.add(key, version_id, content)

    @rule(key=KEYS)
    def delete_object(self, key: str) -> None:
        marker = self.objects.delete("bucket", key)
        if self.status is None:
            assert marker is None
            self.model.pop(key, None)
        else:
            assert marker is not None
            self.add(key, marker.version_id, MARKER)

    @rule(key=KEYS, data=st.data())
    def delete_a_version(self, key: str, data: Any) -> None:
        versions = self.model.get(key, [])
        version_id = data.draw(st.sampled_from([*(name for name, _ in versions), "f" * 32]))
        deleted = self.objects.delete_version("bucket", key, version_id)
        assert (deleted is not None) == any(name == version_id for name, _ in versions)
        self.model[key] = [version for version in versions if version[0] != version_id]

    @rule(status=st.sampled_from(["Enabled", "Suspended"]))
    def put_bucket_versioning(self, status: str) -> None:
        self.objects.settings.put("bucket", "BucketVersioning", {"Status": status})
        self.status = status

    @rule()
    def restart(self) -> None:
        self.objects = store(self.folder)

    @invariant()
    def versions_are_those_of_the_model(self) -> None:
        keys = {key for key, versions in self.model.items() if versions}
        assert list(self.objects.version_keys("bucket", "", "")) == sorted(keys)
        for key, versions in self.model.items():
            assert listed(self.objects, key) == versions
            for version_id, content in versions:
                if content is MARKER:
                    with pytest.raises(IsDeleteMarker):
                        self.objects.open("bucket", key, version_id)
                else:
                    assert self.objects.read("bucket", key, version_id).decode() == content

    @invariant()
    def objects_are_the_latest_versions(self) -> None:
        current = {key: versions[0][1] for key, versions in self.model.items() if versions and versions[0][1]}
        assert list(self.objects.list("bucket", "")) == sorted(current)
        assert {key: self.objects.read("bucket", key).decode() for key in current} == current

    @invariant()
    def nothing_is_kept_of_deleted_versions(self) -> None:
        older = sum(content is not MARKER for versions in self.model.values() for _, content in versions[1:])
        assert len([path for path in (self.folder / "s3-versions").rglob("*") if path.is_file()]) == older


TestVersionedBucket = VersionedBucket.TestCase
TestVersionedBucket.settings = settings(max_examples=10, stateful_step_count=20, deadline=None)


@pytest.fixture
def objects(tmp_path: Path) -> ObjectStore:
    made = store(tmp_path)
    made.create_bucket("bucket")
    return made


@pytest.mark.parametrize("status", ["Enabled", "Suspended"])
@pytest.mark.parametrize("operation", ["put", "delete", "delete_version"])
def test_a_write_that_is_cut_off_before_it_replaces_the_file_has_not_happened(
    status: str, operation: str, objects: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(objects, "key", "first")
    objects.settings.put("bucket", "BucketVersioning", {"Status": "Enabled"})
    put(objects, "key", "second")
    latest = put(objects, "key", "third")
    objects.settings.put("bucket", "BucketVersioning", {"Status": status})
    before = listed(objects, "key")

    def crash(*_: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        for name in ("rename_to_place", "unlink_files"):
            patch.setattr(objects_module, name, crash)
        if operation == "put":
            put(objects, "key", "never")
        elif operation == "delete":
            objects.delete("bucket", "key")
        else:
            objects.delete_version("bucket", "key", latest)
    objects = store(tmp_path)
    assert listed(objects, "key") == before
    assert [objects.read("bucket", "key", name).decode() for name, _ in before] == ["third", "second", "first"]
    # and nothing of it comes back with the next write
    new = put(objects, "key", "fourth")
    kept = [version for version in before if version[0] != new]
    assert listed(objects, "key") == [(new, "fourth"), *kept]


def test_a_write_that_has_waited_for_another_is_newer_than_it(
    objects: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects.settings.put("bucket", "BucketVersioning", {"Status": "Enabled"})
    flushed, stamp = threading.Event(), objects._stamp

    def stamp_and_tell(path: Path) -> os.stat_result:
        status = stamp(path)
        flushed.set()
        return status

    monkeypatch.setattr(objects, "_stamp", stamp_and_tell)
    waiting = threading.Thread(target=put, args=(objects, "key", "second"))
    with objects._key_lock("bucket", "key"):
        waiting.start()
        assert flushed.wait(10)
        put(objects, "key", "first")
    waiting.join()
    newest, oldest = objects.versions("bucket", "key")
    assert [newest.headers["content-type"], oldest.headers["content-type"]] == ["second", "first"]
    assert newest.modified > oldest.modified


def test_a_version_that_is_missing_on_disk_is_not_found(objects: ObjectStore, tmp_path: Path) -> None:
    objects.settings.put("bucket", "BucketVersioning", {"Status": "Enabled"})
    old = put(objects, "key", "old")
    put(objects, "key", "new")
    shutil.rmtree(tmp_path / "s3-versions")
    with pytest.raises(NoSuchVersion):
        objects.read("bucket", "key", old)


def test_a_file_that_was_edited_by_hand_is_the_version_null(objects: ObjectStore, tmp_path: Path) -> None:
    objects.settings.put("bucket", "BucketVersioning", {"Status": "Enabled"})
    put(objects, "key", "old")
    (tmp_path / "s3" / "bucket" / "key").write_text("by hand")
    assert objects.info("bucket", "key").version_id == "null"
    put(objects, "key", "new")
    assert objects.read("bucket", "key", "null") == b"by hand"


def test_a_bucket_with_versions_is_not_empty(objects: ObjectStore, tmp_path: Path) -> None:
    objects.settings.put("bucket", "BucketVersioning", {"Status": "Enabled"})
    version_id = put(objects, "key", "content")
    marker = objects.delete("bucket", "key")
    assert marker is not None
    assert not objects.delete_bucket("bucket")
    objects.delete_version("bucket", "key", version_id)
    assert not objects.delete_bucket("bucket")
    objects.delete_version("bucket", "key", marker.version_id)
    assert objects.delete_bucket("bucket")
    objects.create_bucket("bucket")
    assert objects.versioning("bucket") is None
