"""What a browser gets at the server's root."""

from __future__ import annotations

import re
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_sagemaker.data_dir import DataDir
from local_sagemaker.http import front_page
from local_sagemaker.http.background import RunningServer
from local_sagemaker.http.front_page import FrontPage
from tests.local_sagemaker.steps import until

PAGE = """
import http.server, sys
print("starting", file=sys.stderr)
server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
print(f"Page  http://127.0.0.1:{server.server_port}/", flush=True)
server.handle_request()
"""
MLFLOW: dict[str, str] = {}


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FrontPage]:
    """Return the front page of a data directory, whose web page is a small program that answers one request."""
    (tmp_path / "small_page.py").write_text(PAGE)
    monkeypatch.setattr(front_page, "PROGRAM", "small_page")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    DataDir(tmp_path / "data").make()
    made = FrontPage(DataDir(tmp_path / "data"), lambda: MLFLOW)
    yield made
    made.close()


def status_of(address: str) -> int:
    with urllib.request.urlopen(address) as response:  # noqa: S310
        status: int = response.status
    return status


def test_the_first_visit_starts_the_web_page_and_leads_there(page: FrontPage) -> None:
    first, second = page.respond(), page.respond()
    assert first.status_code == 302
    assert first.headers["Location"] == second.headers["Location"]
    assert status_of(first.headers["Location"]) == 200


def test_a_page_that_has_ended_starts_again(page: FrontPage) -> None:
    first = page.respond().headers["Location"]
    assert status_of(first) == 200
    until(lambda: page.respond().headers["Location"] != first)


def test_a_page_does_not_start_once_the_server_stops(page: FrontPage) -> None:
    page.close()
    assert "the server is stopping" in page.respond().get_data(as_text=True)


def test_a_page_that_is_starting_does_not_hold_up_the_stop(page: FrontPage, tmp_path: Path) -> None:
    (tmp_path / "small_page.py").write_text(
        f"import time; open({str(tmp_path / 'started')!r}, 'w').close(); time.sleep(60)"
    )
    started = tmp_path / "started"
    visit = threading.Thread(target=page.respond)
    visit.start()
    until(started.exists)
    page.close()
    visit.join(front_page.STOP_SECONDS + 5)
    assert not visit.is_alive()


def test_a_link_that_mlflows_client_prints_leads_to_the_server_used_last(
    page: FrontPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MLFLOW, "mlflow-app/first", "http://127.0.0.1:5001/")
    monkeypatch.setitem(MLFLOW, "mlflow-app/last", "http://127.0.0.1:5002/")
    text = page.respond().get_data(as_text=True)
    assert 'location.hash.startsWith("#/") ? "http://127.0.0.1:5002/" + location.hash' in text
    assert re.search(r'<a href="http://127\.0\.0\.1:\d+/">Studio</a>', text)


def test_a_page_that_does_not_start_says_why(page: FrontPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "small_page.py").write_text("raise SystemExit('no settings')")
    refused = page.respond()
    assert refused.status_code == 503
    assert "the web page did not start: no settings" in refused.get_data(as_text=True)
    monkeypatch.setattr(front_page, "PROGRAM", "not_installed")
    assert "'not_installed' is not installed" in page.respond().get_data(as_text=True)
    # MLflow's links lead to MLflow all the same
    monkeypatch.setitem(MLFLOW, "mlflow-app/only", "http://127.0.0.1:5001/")
    assert '"http://127.0.0.1:5001/" + location.hash' in page.respond().get_data(as_text=True)


def test_clients_of_aws_still_list_buckets_at_the_root(server: RunningServer) -> None:
    request = urllib.request.Request(f"{server.url}/", headers={"Accept": "*/*"})  # noqa: S310
    with urllib.request.urlopen(request) as response:  # noqa: S310
        assert "ListAllMyBucketsResult" in response.read().decode()
