import io
import json
import os
import shutil
import ssl
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from local_sagemaker.__main__ import app
from local_sagemaker.data_dir import ENTRIES, DataDir
from local_sagemaker.errors import LocalSageMakerError, files_named
from local_sagemaker.http.background import ServerError, ensure_server, stop_server
from tests.local_sagemaker.conftest import make_client
from tests.local_sagemaker.machine import ROLE

REPOSITORY = Path(__file__).parents[2]


def reset(folder: Path) -> Result:
    return CliRunner().invoke(app, ["reset", "--yes", "--data-dir", str(folder)])


def zipped(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_entries_are_all_paths_at_the_top_of_the_data_directory(tmp_path: Path) -> None:
    data_dir = DataDir(tmp_path)
    assert data_dir.records == tmp_path / "records"
    assert {"records", "moto.jsonl", "functions", "s3", "server.lock", "images.yaml"} <= ENTRIES
    for name in ENTRIES:
        (tmp_path / name).touch()
    assert data_dir.foreign_entries() == []
    (tmp_path / "thesis.tex").touch()
    assert data_dir.foreign_entries() == ["thesis.tex"]


@pytest.mark.slow
def test_a_data_directory_that_has_been_used_in_every_way_is_reset(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    server = ensure_server(folder)
    s3, functions, iam = (make_client(server, service) for service in ("s3", "lambda", "iam"))
    s3.create_bucket(Bucket="bucket")
    s3.create_multipart_upload(Bucket="bucket", Key="key")
    iam.create_role(RoleName="role", AssumeRolePolicyDocument=json.dumps({}))
    functions.create_function(
        FunctionName="f",
        Runtime="python3.12",
        Role=ROLE,
        Handler="app.handler",
        Code={"ZipFile": zipped({"app.py": "def handler(event, context): print(event)"})},
    )
    functions.invoke(FunctionName="f")
    assert {"state.sqlite", "functions", "logs"} <= {path.name for path in folder.iterdir()}
    # what takes longer to make, or a start with other options
    for name in ENTRIES:
        if not (folder / name).exists():
            (folder / name).mkdir()
    done = reset(folder)
    assert (done.exit_code, done.output) == (0, f"deleted {folder}\n")
    assert not folder.exists()


def test_a_file_of_somebody_else_is_never_removed(tmp_path: Path) -> None:
    (tmp_path / "records").mkdir()
    (tmp_path / "thesis.tex").write_text("dear")
    refused = reset(tmp_path)
    assert isinstance(refused.exception, ServerError) and "thesis.tex" in str(refused.exception)
    assert (tmp_path / "thesis.tex").exists()


def test_folders_without_permissions_are_reset(tmp_path: Path) -> None:
    inner = tmp_path / "data" / "jobs" / "processing-job" / "job" / "algo-1" / "output"
    inner.mkdir(parents=True)
    (inner / "secret").touch(mode=0)
    (inner / "link").symlink_to(tmp_path)
    inner.chmod(0)
    inner.parent.chmod(0o500)
    (tmp_path / "data" / ".7f-1.part").touch()
    # root, as which tests may run, is not subject to permissions unless it gives that up
    done = as_user("reset", "--yes", "--data-dir", str(tmp_path / "data"))
    assert (done.returncode, done.stderr) == (0, "") and not (tmp_path / "data").exists()


def test_a_data_directory_behind_a_link_is_reset_with_the_link(tmp_path: Path) -> None:
    DataDir(tmp_path / "data").make()
    (tmp_path / "data" / "s3").mkdir()
    (tmp_path / "link").symlink_to("data")
    assert reset(tmp_path / "link").exit_code == 0
    assert not (tmp_path / "data").exists() and not (tmp_path / "link").is_symlink()


COMMANDS = (
    ["start"],
    ["start", "--foreground"],
    ["env"],
    ["status"],
    ["stop"],
    ["reset", "--yes"],
    ["run-now", "name"],
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_what_is_no_folder_is_named_with_the_next_step(command: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    for path, words in (
        ("file", "is not a folder; move it, or choose another data directory with --data-dir"),
        ("link", "is a link to nowhere, which does not exist; create that folder, or remove the link"),
        ("file/data", "Not a directory; correct or remove it, or choose another data directory"),
    ):
        with pytest.raises(LocalSageMakerError) as raised, files_named():
            CliRunner().invoke(app, [*command, "--data-dir", str(tmp_path / path)], catch_exceptions=False)
        assert f"{tmp_path / path}" in str(raised.value) and words in str(raised.value)


def test_a_folder_that_cannot_be_made_or_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    for name, words in (
        ("closed", "is a folder that this user cannot write; change its permissions, or choose another"),
        ("closed/data", "Permission denied; choose another data directory with --data-dir"),
    ):
        refused = as_user("start", "--data-dir", str(tmp_path / name))
        assert refused.returncode == 1 and refused.stderr.count("\n") == 1, refused.stderr
        assert str(tmp_path / name) in refused.stderr and words in refused.stderr


def as_user(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m local_sagemaker` as a user to whom permissions apply."""
    prefix = []
    if os.geteuid() == 0:
        if not (setpriv := shutil.which("setpriv")):
            pytest.skip("root cannot give up its privileges without setpriv")
        prefix = [setpriv, "--bounding-set=-dac_override,-dac_read_search,-fowner"]
    return subprocess.run(
        [*prefix, sys.executable, "-m", "local_sagemaker", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("client", "client: File exists"),
        ("s3", "s3: File exists"),
        ("images.yaml", "images.yaml: while parsing a flow"),
    ],
)
def test_a_file_in_the_wrong_place_is_named_in_one_line(name: str, words: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("[")
    refused = as_user("start", "--data-dir", str(tmp_path))
    assert refused.returncode == 1 and refused.stderr.count("\n") == 1
    assert "the local SageMaker did not start: cannot " in refused.stderr and words in refused.stderr
    assert reset(tmp_path).exit_code == 0


@pytest.mark.slow
def test_garbled_files_of_clients_are_made_anew(tmp_path: Path) -> None:
    ensure_server(tmp_path)
    stop_server(tmp_path)
    files = [path for path in (tmp_path / "client").iterdir() if path.suffix != ".key"]
    before = {path.name: path.read_bytes() for path in files}
    for path in [*files, DataDir(tmp_path).server_lock]:
        path.write_bytes(b"\xff\0garbage")
    server = ensure_server(tmp_path)
    for path in files:
        assert path.suffix == ".pem" or path.read_bytes() == before[path.name]
    ssl.create_default_context(cafile=DataDir(tmp_path).certificate)
    assert make_client(server, "sts").get_caller_identity()["Account"]
    stop_server(tmp_path)


def test_an_open_data_directory_is_closed_to_others_with_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data_dir = DataDir(tmp_path / "data")
    for folder in (data_dir.root, data_dir.client, data_dir.records):
        folder.mkdir()
        folder.chmod(0o777)
    for file in (data_dir.client / "aws-credentials", data_dir.moto_journal, data_dir.database):
        file.touch()
        file.chmod(0o644)
    data_dir.images_file.symlink_to(tmp_path / "images.yaml")
    (tmp_path / "images.yaml").touch(mode=0o644)
    data_dir.close_to_others()
    modes = {
        path.stat().st_mode & 0o777 for path in [data_dir.root, *data_dir.root.rglob("*")] if not path.is_symlink()
    }
    assert modes == {0o700, 0o600}
    assert (tmp_path / "images.yaml").stat().st_mode & 0o777 == 0o644, "not a file of the data directory"
    assert [record.message for record in caplog.records] == [
        f"{data_dir} was open to other users; it is closed to them now"
    ]
    caplog.clear()
    data_dir.close_to_others()
    assert not caplog.records


@pytest.mark.parametrize("mode", ["group", "other"])
def test_a_new_data_directory_is_closed_to_others(mode: str, tmp_path: Path) -> None:
    data_dir = DataDir(tmp_path / "new")
    data_dir.make()
    assert data_dir.root.stat().st_mode & (0o070 if mode == "group" else 0o007) == 0
