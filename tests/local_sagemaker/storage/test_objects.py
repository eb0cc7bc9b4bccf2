import hashlib
import json
import shutil
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from local_sagemaker.data_dir import DataDir
from local_sagemaker.storage.database import Database
from local_sagemaker.storage.files import flush_folder
from local_sagemaker.storage.object_info import Metadata
from local_sagemaker.storage.object_metadata import MetadataTable
from local_sagemaker.storage.objects import (
    BadName,
    ListedObject,
    NoSuchBucket,
    NoSuchKey,
    ObjectInfo,
    ObjectStore,
    is_bucket_name,
)

# few letters, so that keys are often prefixes of each other; and all that is no file name
PIECES = st.sampled_from([*"ab/%é\0 ", "/", "a.b", "a-b", ".", "..", "%25", "%+", "%61", "x" * 245])
KEYS = st.lists(PIECES, min_size=1, max_size=4).map("".join)


def store(folder: Path) -> ObjectStore:
    data_dir = DataDir(folder)
    return ObjectStore(data_dir, Database(data_dir.database))


@pytest.fixture
def objects(tmp_path: Path) -> ObjectStore:
    made = store(tmp_path)
    made.create_bucket("bucket")
    return made


def put(objects: ObjectStore, key: str, content: str, headers: dict[str, str] | None = None) -> None:
    aside = objects.temporary_path()
    aside.write_text(content)
    objects.put_temporary("bucket", key, aside, Metadata("etag", headers or {}))


def rolled_up(keys: list[str], prefix: str, delimiter: str, after: str) -> list[str]:
    """Return what ListObjects lists according to its documentation."""
    entries = []
    for key in sorted(key for key in keys if key.startswith(prefix) and key > after):
        rest = key[len(prefix) :]
        entry = prefix + rest[: rest.index(delimiter) + len(delimiter)] if delimiter and delimiter in rest else key
        if entry != after and entry not in entries:
            entries.append(entry)
    return entries


def pages(objects: ObjectStore, prefix: str, delimiter: str, after: str, size: int) -> list[str]:
    """Return the entries of all pages."""
    entries, last = objects.page("bucket", prefix, delimiter, after, size)
    names = [entry.key if isinstance(entry, ListedObject) else entry for entry in entries]
    return names + pages(objects, prefix, delimiter, last, size) if last else names


@settings(max_examples=25, deadline=None)
@given(keys=st.sets(KEYS, min_size=1, max_size=8))
@example(keys={"a", "a/b", "a/b/c", "a%", "a/", "a//", "/a", "//"})
@example(keys={"..", "../..", "../../etc/passwd", ".", "%2E%2E/x"})
@example(keys={"x" * 300, "x" * 300 + "/y", "x" * 240, "x" * 240 + "/y", "x" * 1024})
def test_every_key_is_a_separate_object(keys: set[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("objects")
    objects = store(folder)
    objects.create_bucket("bucket")
    for key in keys:
        put(objects, key, key)
    assert list(objects.list("bucket", "")) == sorted(keys)
    assert {key: objects.read("bucket", key).decode() for key in keys} == {key: key for key in keys}
    assert all(objects.path("bucket", key).is_relative_to(folder / "s3" / "bucket") for key in keys)
    for key in keys:
        objects.delete("bucket", key)
    assert list((folder / "s3" / "bucket").iterdir()) == []
    assert Database(DataDir(folder).database).read("SELECT * FROM objects") == []


@settings(max_examples=25, deadline=None)
@given(
    keys=st.sets(KEYS, max_size=10),
    prefix=st.just("") | KEYS,
    delimiter=st.sampled_from(["", "/", "a", "//", "-b"]),
    after=st.just("") | KEYS,
)
@example(keys={"a/b", "a/c"}, prefix="", delimiter="/", after="a/b")
@example(keys={"a/b", "a/c", "b"}, prefix="", delimiter="/", after="a/")
def test_listings_are_like_s3s(
    keys: set[str], prefix: str, delimiter: str, after: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    objects = store(tmp_path_factory.mktemp("objects"))
    objects.create_bucket("bucket")
    for key in keys:
        put(objects, key, "")
    expected = rolled_up(list(keys), prefix, delimiter, after)
    assert list(objects.entries("bucket", prefix, delimiter, after)) == expected
    assert pages(objects, prefix, delimiter, after, 2) == expected


def test_an_object_is_a_plain_file(tmp_path: Path, objects: ObjectStore) -> None:
    source = tmp_path / "source.csv"
    source.write_text("1,2\n")
    objects.put_file("bucket", "data/train.csv", source)
    assert (tmp_path / "s3" / "bucket" / "data" / "train.csv").read_text() == "1,2\n"
    assert objects.path("bucket", "data/train.csv") == tmp_path.resolve() / "s3" / "bucket" / "data" / "train.csv"
    assert objects.info("bucket", "data/train.csv").etag == hashlib.md5(b"1,2\n").hexdigest()  # noqa: S324


@pytest.mark.parametrize("name", ["data.csv", "50%.csv", "a%20b.csv", "ünï cödé.csv", "new\nline", "%", "y" * 250])
def test_a_file_added_by_hand_is_an_object(name: str, tmp_path: Path, objects: ObjectStore) -> None:
    (tmp_path / "s3" / "bucket" / "by hand").mkdir()
    (tmp_path / "s3" / "bucket" / "by hand" / name).write_text("content")
    [key] = objects.list("bucket", "")
    assert objects.read("bucket", key) == b"content"
    assert objects.info("bucket", key).etag.endswith("-1")
    put(objects, key, "replaced")
    assert list(objects.list("bucket", "")) == [key]
    assert objects.read("bucket", key) == b"replaced"
    objects.delete("bucket", key)
    assert list(objects.list("bucket", "")) == []


def test_a_file_edited_by_hand_is_a_new_version(tmp_path: Path, objects: ObjectStore) -> None:
    put(objects, "a.csv", "put", {"content-type": "text/csv"})
    assert objects.info("bucket", "a.csv").headers == {"content-type": "text/csv"}
    (tmp_path / "s3" / "bucket" / "a.csv").write_text("edited")
    info = objects.info("bucket", "a.csv")
    assert (info.size, info.headers) == (6, {})
    assert info.etag != "etag"


def test_metadata_is_kept_when_the_data_directory_is_reopened(tmp_path: Path, objects: ObjectStore) -> None:
    put(objects, "a", "content", {"x-amz-meta-run_id": "7"})
    again = store(tmp_path).info("bucket", "a")
    assert (again.etag, again.headers) == ("etag", {"x-amz-meta-run_id": "7"})


def test_metadata_in_files_of_earlier_versions_is_kept(tmp_path: Path, objects: ObjectStore) -> None:
    for name in ("a", "edited", "lost"):
        put(objects, name, name)
    objects._metadata.delete_bucket("bucket")
    for name in ("a", "edited", "lost"):
        status = (tmp_path / "s3" / "bucket" / name).stat()
        digest = hashlib.sha256(name.encode()).hexdigest()
        file = tmp_path / "s3-metadata" / "bucket" / digest[:2]
        file.mkdir(parents=True, exist_ok=True)
        content = {"key": name, "etag": f"etag of {name}", "headers": {"content-type": "text/csv"}}
        text = "{" if name == "lost" else json.dumps(content)
        (file / f"{digest}.{status.st_size}-{status.st_mtime_ns}.json").write_text(text)
    (tmp_path / "s3" / "bucket" / "edited").write_text("edited by hand")

    # a kill after the rows were written and before the files were removed
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("local_sagemaker.storage.object_metadata.shutil.rmtree", _killed)
        MetadataTable(Database(DataDir(tmp_path).database)).migrate(tmp_path / "s3-metadata")
    for _ in range(2):
        again = store(tmp_path)
        assert not (tmp_path / "s3-metadata").exists()
        info = again.info("bucket", "a")
        assert (info.etag, info.headers) == ("etag of a", {"content-type": "text/csv"})
        assert again.info("bucket", "edited").headers == again.info("bucket", "lost").headers == {}


def _killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_a_write_that_is_cut_short_leaves_the_old_version_with_its_metadata(
    tmp_path: Path, objects: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(objects, "a", "old", {"version": "old"})
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("local_sagemaker.storage.objects.rename_to_place", _killed)
        put(objects, "a", "new", {"version": "new"})
    for reader in (objects, store(tmp_path)):
        assert (reader.read("bucket", "a"), reader.info("bucket", "a").headers) == (b"old", {"version": "old"})
    put(objects, "a", "newer", {"version": "newer"})
    put(objects, "a", "newest", {"version": "newest"})
    # of the current version and the one before
    assert len(Database(DataDir(tmp_path).database).read("SELECT * FROM objects")) == 2


def test_incomplete_bodies_are_deleted_at_the_next_start(tmp_path: Path, objects: ObjectStore) -> None:
    objects.temporary_path().write_text("cut short")
    store(tmp_path)
    assert list((tmp_path / "s3-incoming").iterdir()) == []


def test_symbolic_links_are_not_followed(tmp_path: Path, objects: ObjectStore) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "file").write_text("secret")
    (tmp_path / "s3" / "bucket" / "folder").symlink_to(tmp_path / "secret")
    (tmp_path / "s3" / "bucket" / "file").symlink_to(tmp_path / "secret" / "file")
    assert list(objects.list("bucket", "")) == []
    for key in ("folder/file", "file"):
        with pytest.raises(NoSuchKey):
            objects.read("bucket", key)
    with pytest.raises(BadName, match="symbolic link"):
        put(objects, "folder/new", "escaped")
    put(objects, "file", "new")
    assert (tmp_path / "secret" / "file").read_text() == "secret"
    assert objects.read("bucket", "file") == b"new"


def test_missing_buckets_and_objects_are_named(objects: ObjectStore) -> None:
    with pytest.raises(NoSuchKey, match="there is no object s3://bucket/nope"):
        objects.read("bucket", "nope")
    with pytest.raises(NoSuchBucket, match="there is no bucket 'nope'"):
        objects.path("nope", "key")
    with pytest.raises(NoSuchBucket):
        list(objects.list("../s3", ""))
    with pytest.raises(BadName, match="1 to 1024 bytes, this one has 1025"):
        objects.path("bucket", "x" * 1025)


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        *(("abc", True), ("a.b-c9", True), ("ab", False), ("a" * 64, False), ("A-b", False), ("a..b", False)),
        *(("-ab", False), ("ab-", False), ("a/b", False), ("a\nb", False), ("abc\n", False)),
    ],
)
def test_buckets_have_the_names_that_s3_allows(name: str, allowed: bool) -> None:
    assert is_bucket_name(name) == allowed


def test_many_threads_can_create_and_delete_folders(objects: ObjectStore) -> None:
    def come_and_go(number: int) -> None:
        key = f"deep/er/{number % 3}/{number}"
        put(objects, key, key)
        assert objects.read("bucket", key).decode() == key
        objects.delete("bucket", key)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(come_and_go, range(200)))
    assert list(objects.list("bucket", "")) == []


def test_a_deletion_whose_folder_another_thread_removes_succeeds(
    tmp_path: Path, objects: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(objects, "folder/a", "")
    put(objects, "folder/b", "")
    flushed = []

    def flush(folder: Path) -> None:
        if not flushed:
            # as if by another thread, after the first deletion has changed the folder
            (tmp_path / "s3" / "bucket" / "folder" / "b").unlink()
            folder.rmdir()
        flushed.append(folder)
        flush_folder(folder)

    monkeypatch.setattr("local_sagemaker.storage.object_files.flush_folder", flush)
    objects.delete("bucket", "folder/a")
    assert flushed == [tmp_path / "s3" / "bucket" / "folder", tmp_path / "s3" / "bucket"]


def test_readers_see_the_old_version_or_the_new(objects: ObjectStore) -> None:
    put(objects, "key", "0" * 100, {"version": "0"})

    def read_and_replace(number: int) -> None:
        if number % 2:
            put(objects, "key", str(number % 10) * 100, {"version": str(number % 10)})
        file, info = objects.open("bucket", "key")
        with file:
            assert file.read().decode() == info.headers["version"] * 100

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(read_and_replace, range(200)))


def test_readers_do_not_wait_for_a_writer_that_waits_for_the_disk(
    objects: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(objects, "key", "old", {"version": "old"})
    waiting, on_disk = threading.Event(), threading.Event()

    def flush(_: set[Path]) -> None:
        waiting.set()
        assert on_disk.wait(60)

    monkeypatch.setattr("local_sagemaker.storage.objects.flush_folders", flush)
    with ThreadPoolExecutor(2) as pool:
        writing = pool.submit(put, objects, "key", "new", {"version": "new"})
        assert waiting.wait(60)
        try:
            reading = pool.submit(
                lambda: (
                    objects.info("bucket", "key").headers["version"],
                    objects.read("bucket", "key"),
                    objects.page("bucket", "", "", "", 10)[0][0].size,  # type: ignore[union-attr]
                )
            )
            assert reading.result(60) == ("new", b"new", 3)
            assert not writing.done()
        finally:
            on_disk.set()


class Model(RuleBasedStateMachine):
    """An object store does what a dict does, whatever the order of writes, deletions, edits by hand and restarts."""

    keys = st.sampled_from(["a", "a/b", "a/b/c", "a%", "d//", ".."])

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.objects = store(self.folder)
        self.objects.create_bucket("bucket")
        self.model: dict[str, tuple[bytes, dict[str, str]]] = {}

    @rule(key=keys, content=st.sampled_from(["", "x", "yy"]), only_new=st.booleans())
    def put(self, key: str, content: str, only_new: bool) -> None:
        temporary = self.objects.temporary_path()
        temporary.write_text(content)
        headers = {"number": str(len(content))}

        def condition(current: ObjectInfo | None) -> None:
            assert (current is not None) == (key in self.model)
            if only_new and current is not None:
                raise FileExistsError

        try:
            self.objects.put_temporary("bucket", key, temporary, Metadata("etag", headers), condition)
            self.model[key] = content.encode(), headers
        except FileExistsError:
            assert key in self.model

    @rule(key=keys, content=st.sampled_from(["", "x", "edited"]))
    def edit_by_hand(self, key: str, content: str) -> None:
        if key in self.model:
            self.objects.path("bucket", key).write_text(content)
            self.model[key] = content.encode(), {}

    @rule(key=keys)
    def delete(self, key: str) -> None:
        self.objects.delete("bucket", key)
        self.model.pop(key, None)

    @rule(key=keys)
    def set_header(self, key: str) -> None:
        try:
            self.objects.set_header("bucket", key, "tag", "1", "ObjectTagging:Put")
            content, headers = self.model[key]
            self.model[key] = content, {**headers, "tag": "1"}
        except NoSuchKey:
            assert key not in self.model

    @rule()
    def restart(self) -> None:
        self.objects = store(self.folder)

    @invariant()
    def the_store_holds_what_the_model_holds(self) -> None:
        assert list(self.objects.list("bucket", "")) == sorted(self.model)
        for key, (content, headers) in self.model.items():
            assert self.objects.read("bucket", key) == content
            assert self.objects.info("bucket", key).headers == headers
        listed = self.objects.page("bucket", "", "", "", 100)[0]
        sizes = {entry.key: entry.size for entry in listed if isinstance(entry, ListedObject)}
        assert sizes == {key: len(content) for key, (content, _) in self.model.items()}

    def teardown(self) -> None:
        shutil.rmtree(self.folder)


Model.TestCase.settings = settings(max_examples=10, stateful_step_count=20, deadline=None)
test_an_object_store_behaves_like_a_dict = Model.TestCase


def test_a_bucket_with_objects_is_not_deleted(tmp_path: Path, objects: ObjectStore) -> None:
    put(objects, "a/b", "")
    assert not objects.create_bucket("bucket")
    assert not objects.delete_bucket("bucket")
    objects.delete("bucket", "a/b")
    assert objects.delete_bucket("bucket")
    assert objects.buckets() == []
    assert not (tmp_path / "s3" / "bucket").exists()


@pytest.mark.parametrize("headers", ["{", "[]", "null", '{"content-type":'])
def test_an_object_whose_metadata_is_damaged_is_served_without_it_and_named(
    headers: str, objects: ObjectStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(objects, "key", "content", {"content-type": "text/csv"})
    with Database(DataDir(tmp_path).database).transaction() as connection:
        connection.execute("UPDATE objects SET headers = ?", [headers])
    assert objects.read("bucket", "key") == b"content"
    assert objects.info("bucket", "key").metadata == Metadata("etag")
    assert "s3://bucket/key is damaged" in caplog.text
