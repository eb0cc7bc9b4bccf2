import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from local_sagemaker.data_dir import DataDir
from local_sagemaker.storage.database import Database
from local_sagemaker.storage.object_metadata import Metadata
from local_sagemaker.storage.objects import BadName, NoSuchBucket, NoSuchKey, ObjectStore, is_bucket_name

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


@settings(max_examples=50, deadline=None)
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


@settings(max_examples=50, deadline=None)
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
    entries = list(objects.entries("bucket", prefix, delimiter, after))
    assert entries == rolled_up(list(keys), prefix, delimiter, after)


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


def test_a_bucket_with_objects_is_not_deleted(tmp_path: Path, objects: ObjectStore) -> None:
    put(objects, "a/b", "")
    assert not objects.create_bucket("bucket")
    assert not objects.delete_bucket("bucket")
    objects.delete("bucket", "a/b")
    assert objects.delete_bucket("bucket")
    assert objects.buckets() == []
    assert not (tmp_path / "s3" / "bucket").exists()
