"""The S3 browser: listings, and previews that read a part of an object."""

from __future__ import annotations

import gzip
import html
import io
import json
import re
import tarfile
import zipfile
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch
from urllib.parse import unquote, urlencode

import pyarrow as pa
import pytest
from botocore.stub import Stubber
from pyarrow import parquet

from project.target import Target
from studio.app import create_app
from studio.queries import previews, s3
from studio.queries.previews import Preview, preview
from studio.queries.s3 import find_object
from studio.target import TARGET_KEY
from tests.studio.conftest import ADDRESS, Browser

BUCKET = "browsed"
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module", autouse=True)
def bucket(app: Any) -> Iterator[None]:
    client = app.extensions[TARGET_KEY].s3
    client.create_bucket(Bucket=BUCKET)
    for key, body in {
        "data/a.csv": b"name,age\nAnn,31\n",
        "data/b.csv": b"1,2.5\n" * 30,
        "data/deep/c.csv": b"1,2",
        "data": b"an object with the name of a prefix",
        "odd//../key?&#.txt": b"odd",
        f"hostile/{HOSTILE}.txt": HOSTILE.encode(),
    }.items():
        client.put_object(Bucket=BUCKET, Key=key, Body=body)
    yield


def address(view: str = "", **arguments: str) -> str:
    return f"/s3/{BUCKET}{view}?{urlencode(arguments)}"


def preview_of(target: Target, name: str, body: bytes) -> Preview:
    target.s3.put_object(Bucket=BUCKET, Key=f"previews/{name}", Body=body)
    found = find_object(target, BUCKET, f"previews/{name}")
    assert found
    return preview(target, found)


def packed(members: dict[str, bytes], mode: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def parquet_file(table: pa.Table, **options: Any) -> bytes:
    buffer = io.BytesIO()
    parquet.write_table(table, buffer, **options)
    return buffer.getvalue()


def test_buckets_lead_to_prefixes_and_objects(browser: Browser) -> None:
    assert f'href="/s3/{BUCKET}"' in browser.get("/s3")
    assert "key=data/" in browser.get(f"/s3/{BUCKET}").replace("%2F", "/")
    page = browser.get(address(key="data/"))
    assert ">a.csv</a>" in page
    assert ">deep/</a>" in page
    assert "c.csv" not in page


def test_a_page_has_as_many_names_as_its_size_and_the_address_of_the_next_one(browser: Browser, target: Target) -> None:
    for number in range(30):
        target.s3.put_object(Bucket=BUCKET, Key=f"many/{number:02}", Body=b"x" * number)
    page = browser.get(address(key="many/"))
    assert ">24</a>" in page
    assert ">25</a>" not in page.partition("<tbody>")[2].partition("</tbody>")[0]
    assert 'rel="next"' in page
    assert ">29</a>" in browser.get(address(key="many/", size="50"))
    largest = browser.get(address(key="many/", sort="Size"))
    assert largest.index(">29</a>") < largest.index(">28</a>")
    assert ">00</a>" not in largest


def test_sorted_listings_have_further_pages(browser: Browser, target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(30):
        target.s3.put_object(Bucket=BUCKET, Key=f"sorted/{number:02}", Body=b"x" * number)
    target.s3.put_object(Bucket=BUCKET, Key="sorted/deep/a", Body=b"x")
    largest = address(key="sorted/", sort="Size")
    assert names_on_pages(browser, largest) == [
        [f"{n:02}" for n in range(29, 4, -1)],
        ["04", "03", "02", "01", "00", "deep/"],
    ]
    assert "S3 lists by name" not in browser.get(largest)
    monkeypatch.setattr(s3, "MAX_KEYS", 28)
    pages = names_on_pages(browser, largest)
    assert [len(names) for names in pages] == [25, 3]
    assert pages[0][0] == "27"
    assert "the first 28 names" in browser.get(largest)
    assert "There are no objects here." in browser.get(address(key="sorted/", sort="Size", token="99"))  # noqa: S106


def names_on_pages(browser: Browser, address: str) -> list[list[str]]:
    """Return the names on each page of a listing."""
    pages = []
    while address:
        page = browser.get(address)
        pages.append(re.findall(r'<th scope="row"><a [^>]+>([^<]+)</a>', page))
        following = re.search(r'rel="next" href="([^"]+)"', page)
        address = html.unescape(following[1]) if following else ""
    return pages


def test_names_can_be_filtered_by_their_beginning(browser: Browser) -> None:
    page = browser.get(address(key="data/", begin="b"))
    assert ">b.csv</a>" in page
    assert ">a.csv</a>" not in page
    assert "No name begins with" in browser.get(address(key="data/", begin="z"))


def test_an_address_without_a_slash_shows_the_object_else_the_prefix(browser: Browser) -> None:
    assert "Objects below data/" in browser.get(address(key="data"))
    assert ">c.csv</a>" in browser.get(address(key="data/deep"))
    assert "There is no object s3://browsed/nothing" in browser.get(address(key="nothing"), status=404)
    assert "Not found" in browser.get("/s3/no-such-bucket", status=404)


def test_keys_that_browsers_would_change_in_a_path_are_found(browser: Browser) -> None:
    key = "odd//../key?&#.txt"
    assert "key?&amp;#.txt" in browser.get(address(key=key))
    assert browser.get(address("/download", key=key)) == "odd"


def test_names_and_contents_are_escaped(browser: Browser) -> None:
    key = f"hostile/{HOSTILE}.txt"
    for page in (address(key="hostile/"), address(key=key), address("/preview", key=key)):
        assert HOSTILE not in browser.get(page)


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.tar"])
def test_an_unpaired_surrogate_is_shown_as_its_escape(browser: Browser, target: Target, name: str) -> None:
    body = packed({"\udcff": b""}, "w") if name == "a.tar" else b'{"a": "\\udcff"}\n'
    target.s3.put_object(Bucket=BUCKET, Key=f"surrogates/{name}", Body=body)
    assert "\\udcff" in browser.get(address("/preview", key=f"surrogates/{name}"))


def test_content_is_never_shown_as_a_page_of_studio(browser: Browser) -> None:
    for view, kind in (("/content", "text/plain"), ("/download", "application/octet-stream")):
        response = browser.client.get(address(view, key=f"hostile/{HOSTILE}.txt"), base_url=ADDRESS)
        assert response.mimetype == kind
        assert response.headers["Content-Security-Policy"].startswith("sandbox")
        assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Content-Disposition"].startswith("attachment;")
    assert response.content_length == len(HOSTILE)


def test_an_object_that_is_replaced_meanwhile_is_downloaded_whole(browser: Browser, target: Target) -> None:
    target.s3.put_object(Bucket=BUCKET, Key="replaced", Body=b"old")
    found = find_object(target, BUCKET, "replaced")
    target.s3.put_object(Bucket=BUCKET, Key="replaced", Body=gzip.compress(b"new and longer"), ContentEncoding="gzip")
    with patch.object(s3, "find_object", lambda *_: found):
        response = browser.client.get(address("/download", key="replaced"), base_url=ADDRESS)
    assert response.headers["Content-Encoding"] == "gzip"
    assert response.content_length == len(response.data)
    assert gzip.decompress(response.data) == b"new and longer"


def test_an_s3_uri_can_be_opened_without_the_permission_to_list_buckets(target: Target) -> None:
    app = create_app(target)
    with Stubber(app.extensions[TARGET_KEY].s3) as stub:
        stub.add_client_error("list_buckets", "AccessDenied", "Access Denied")
        page = app.test_client().get("/s3", base_url=ADDRESS)
    assert page.status_code == 200
    assert "lack s3:ListAllMyBuckets" in page.text
    opened = app.test_client().get("/s3?uri=s3://browsed/data/", base_url=ADDRESS)
    assert opened.location == "/s3/browsed?key=data/"


def test_objects_are_shown_to_whoever_may_not_list_them(target: Target) -> None:
    app = create_app(target)
    stubbed = app.extensions[TARGET_KEY].s3
    found = target.s3.head_object(Bucket=BUCKET, Key="data/a.csv")
    original = stubbed.head_object
    with Stubber(stubbed) as stub:
        stub.add_client_error("list_objects_v2", "AccessDenied", "Access Denied")
        stubbed.head_object = lambda **_: found
        page = app.test_client().get(address(key="data/a.csv"), base_url=ADDRESS)
        stubbed.head_object = original
    assert page.status_code == 200
    assert "<h1>a.csv</h1>" in page.text


def test_a_csv_file_is_a_table_with_or_without_header(target: Target) -> None:
    with_header = preview_of(target, "a.csv", b'name,age\n"Ann, B.",31\n')
    assert (with_header.columns, with_header.rows) == (("name", "age"), (("Ann, B.", "31"),))
    without = preview_of(target, "b.csv.out", b"1,2\n3,4\n")
    assert (without.columns, without.rows) == (("0", "1"), (("1", "2"), ("3", "4")))
    assert "no header" in without.remark
    of_a_spreadsheet = preview_of(target, "d.csv", "Größe;Umsatz\n1,76;1.309,96 €\n".encode("cp1252"))
    assert (of_a_spreadsheet.columns, of_a_spreadsheet.rows) == (("Größe", "Umsatz"), (("1,76", "1.309,96 €"),))
    of_old_macs = preview_of(target, "c.csv", b"name,age\rAnn,31\r")
    assert of_old_macs.rows == (("Ann", "31"),)


def test_a_large_csv_file_is_read_in_part(target: Target) -> None:
    large = preview_of(target, "large.csv", b"a,b\n" + b"1,2\n" * 1_000_000)
    assert len(large.rows) == previews.MAX_ROWS
    assert large.remark == "The first 100 rows."


def test_remarks_count_one_and_nothing_in_plain_words(target: Target) -> None:
    one = preview_of(target, "one.parquet", parquet_file(pa.table({"a": [1]})))
    assert one.remark == "1 row and 1 column; row groups: 1."
    # a line that is longer than what is read
    header = b"a,b\n"
    assert preview_of(target, "none.csv", header + b"1" * 200_000 + b",2\n").remark == ""
    assert preview_of(target, "one.csv", header + b"1,2\n" + b"1" * 200_000).remark == "The first row."
    assert preview_of(target, "one.tar", packed({"a": b""}, "w")).remark == "1 file."


def test_folders_of_a_key_are_its_breadcrumbs(browser: Browser) -> None:
    page = browser.get(address(key="odd//../key?&#.txt"))
    crumbs = re.findall(
        r'<li><a href="([^"]+)">([^<]+)</a></li>', page.partition('aria-label="Breadcrumbs"')[2].partition("</ol>")[0]
    )
    prefixes = ("odd/", "odd//", "odd//../")
    assert [text for _, text in crumbs] == ["S3", BUCKET, "odd", "(empty)", ".."]
    assert [unquote(html.unescape(link)) for link, _ in crumbs] == [
        "/s3",
        f"/s3/{BUCKET}",
        *(f"/s3/{BUCKET}?key={prefix}" for prefix in prefixes),
    ]
    assert '<li><a href="/s3">S3</a></li></ol>' in browser.get(f"/s3/{BUCKET}").replace("\n", "").replace("  ", "")


def test_compressed_text_is_decompressed_up_to_a_limit(target: Target) -> None:
    assert preview_of(target, "a.csv.gz", gzip.compress(b"a,b\n1,2\n")).rows == (("1", "2"),)
    bomb = preview_of(target, "bomb.txt.gz", gzip.compress(b"0" * 50_000_000))
    assert len(bomb.text) <= previews.HEAD_BYTES


def test_a_parquet_file_is_a_table_with_types(target: Target) -> None:
    table = pa.table({"age": [31, None], "plan": ["gold", HOSTILE]})
    found = preview_of(target, "a.parquet", parquet_file(table))
    assert found.columns == ("age (int64)", "plan (string)")
    assert found.rows == ((31, "gold"), (None, HOSTILE))
    assert "2 rows and 2 columns" in found.remark
    assert "could not be read as Parquet" in preview_of(target, "b.parquet", b"not Parquet at all").remark


def test_columns_of_a_parquet_file_may_have_the_same_name(target: Target) -> None:
    columns = [pa.array(values) for values in ([1], [{"x": 3, "y": [4]}], [2], ["x"])]
    table = pa.Table.from_arrays(columns, ["a", "b", "a", "b.x"])
    found = preview_of(target, "same.parquet", parquet_file(table))
    assert [name.partition(" ")[0] for name in found.columns] == ["a", "b", "a", "b.x"]
    assert found.rows == ((1, "{'x': 3, 'y': [4]}", 2, "x"),)


def test_the_first_columns_of_a_wide_parquet_file_are_shown(target: Target) -> None:
    struct = pa.array([{"x": 1, "y": 2}])
    table = pa.table({"pair": struct, **{f"c{number}": [number] for number in range(100)}})
    found = preview_of(target, "wide.parquet", parquet_file(table))
    assert found.rows == (("{'x': 1, 'y': 2}", *range(previews.MAX_COLUMNS - 1)),)
    assert "The first 60 columns." in found.remark


def test_a_large_parquet_file_is_read_by_ranges(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previews, "WHOLE_BYTES", 1000)
    table = pa.table({"n": list(range(100_000))})
    found = preview_of(target, "large.parquet", parquet_file(table, row_group_size=10_000))
    assert [row[0] for row in found.rows] == list(range(100))


def test_a_parquet_file_is_not_decompressed_beyond_a_limit(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previews, "UNPACKED_BYTES", 1_000_000)
    texts = [f"{number}" * 50_000 for number in range(25)]
    small = pa.array(range(25))
    bomb = parquet_file(pa.table({"n": small, "text": texts}), compression="zstd", use_dictionary=False)
    assert len(bomb) < 10_000
    found = preview_of(target, "bomb.parquet", bomb)
    assert (found.columns, len(found.rows)) == (("n (int64)",), 25)
    assert "The first column." in found.remark
    refused = preview_of(target, "refused.parquet", parquet_file(pa.table({"text": texts}), use_dictionary=False))
    assert refused.kind == "none"
    assert "download the object" in refused.remark
    # one value of a dictionary, many times
    repeated = preview_of(target, "list.parquet", parquet_file(pa.table({"list": [[7] * 500_000]})))
    assert "download the object" in repeated.remark


def test_a_value_that_many_rows_share_is_in_memory_once(target: Target) -> None:
    body = parquet_file(pa.table({"text": ["x" * 1_000_000] * 100}))
    default = pa.default_memory_pool()
    pool = pa.proxy_memory_pool(default)
    pa.set_memory_pool(pool)
    try:
        found = preview_of(target, "shared.parquet", body)
    finally:
        pa.set_memory_pool(default)
    assert len(found.rows) == 100
    assert pool.max_memory() < 20_000_000


def test_a_long_list_in_a_parquet_file_is_its_size(target: Target) -> None:
    table = pa.table({"list": [[1], list(range(200_000))]})
    short, long = preview_of(target, "long.parquet", parquet_file(table)).rows
    assert short == ("[1]",)
    assert re.fullmatch(r"1,6\d\d,\d\d\d bytes", long[0])


def test_what_cannot_be_read_as_parquet_is_said(target: Target) -> None:
    body = parquet_file(pa.table({"n": list(range(1000))}), compression="gzip")
    bodies = {
        "footer": body[:-100] + b"\xff" * 92 + body[-8:],
        "page": body[:40] + b"\xff" * 100 + body[140:],
        "end": body[:-50],
        "date": parquet_file(pa.table({"date": pa.array([3_000_000], pa.date32())})),
    }
    for name, content in bodies.items():
        assert "could not be read as Parquet: " in preview_of(target, f"{name}.parquet", content).remark, name


def test_json_is_indented_and_json_lines_are_numbered(target: Target) -> None:
    assert preview_of(target, "a.json", b'{"a": [1]}').text == '{\n  "a": [\n    1\n  ]\n}'
    lines = preview_of(target, "a.jsonl", b'{"a": 1}\n\n{"a": 2}\n')
    assert [(number, json.loads(text)) for number, text in lines.rows] == [(1, {"a": 1}), (2, {"a": 2})]
    assert preview_of(target, "several.json", b'{"a": 1}\n{"a": 2}\n').kind == "records"
    assert preview_of(target, "nested.json", b"[" * 50_000).text == "[" * 50_000


def test_archives_list_their_members(target: Target) -> None:
    members = {"model.txt": b"tree", "code/inference.py": b"pass"}
    for name, body in (("model.tar.gz", packed(members, "w:gz")), ("model.tar", packed(members, "w"))):
        assert preview_of(target, name, body).rows == (("model.txt", 4), ("code/inference.py", 4))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.txt", "abc")
    assert preview_of(target, "a.zip", buffer.getvalue()).rows == (("a.txt", 3),)
    assert "could not be read" in preview_of(target, "broken.tar.gz", b"\x1f\x8bnothing").remark


def test_the_beginning_of_a_large_archive_is_listed(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previews, "WHOLE_BYTES", 20_000)
    found = preview_of(target, "large.tar", packed({f"{n}.bin": b"0" * 5000 for n in range(20)}, "w"))
    assert found.remark.startswith("The first")
    assert 0 < len(found.rows) < 20


def test_a_large_member_of_a_compressed_archive_is_not_decompressed(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(previews, "UNPACKED_BYTES", 1_000_000)
    found = preview_of(target, "bomb.tar.gz", packed({"zeros": b"0" * 5_000_000, "next": b"1"}, "w:gz"))
    assert (found.rows, found.remark) == ((("zeros", 5_000_000),), "The first file.")


def test_the_content_tells_the_format_of_names_that_do_not(target: Target) -> None:
    assert preview_of(target, "SUCCESS", b"").remark == "The object is empty."
    assert preview_of(target, "part-0", b'{"a": 1}').kind == "text"
    assert preview_of(target, "page", b"<html><body>x").kind == "html"
    assert preview_of(target, "image", b"\x89PNG\r\n").kind == "image"
    assert preview_of(target, "binary", b"\0\1\2").kind == "none"
