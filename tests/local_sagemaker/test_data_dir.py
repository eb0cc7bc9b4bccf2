import io
import json
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from local_sagemaker.__main__ import app
from local_sagemaker.data_dir import ENTRIES, DataDir
from local_sagemaker.http.background import ServerError, ensure_server
from tests.local_sagemaker.conftest import make_client
from tests.local_sagemaker.machine import ROLE


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


@pytest.mark.parametrize("mode", ["group", "other"])
def test_a_new_data_directory_is_closed_to_others(mode: str, tmp_path: Path) -> None:
    data_dir = DataDir(tmp_path / "new")
    data_dir.make()
    assert data_dir.root.stat().st_mode & (0o070 if mode == "group" else 0o007) == 0
