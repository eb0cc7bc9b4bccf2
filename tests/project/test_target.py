from pathlib import Path

import pytest

from project.errors import UserError
from project.target import Target, local_target


def test_a_local_sagemaker_that_cannot_start_is_an_error_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("LOCAL_SAGEMAKER_DIR", str(tmp_path / "file"))
    with pytest.raises(UserError, match="file is not a folder; move it, or choose another data directory"):
        local_target()


def test_what_lies_on_this_machine_is_shown_as_a_path_and_everything_else_as_a_uri(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "s3" / "bucket" / "folder").mkdir(parents=True)
    here = Target("role", "bucket", "us-east-1", s3_folder=tmp_path / "s3")
    monkeypatch.chdir(tmp_path)
    assert here.location("s3://bucket/folder") == "s3/bucket/folder"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert here.location("s3://bucket/folder/") == str(tmp_path / "s3" / "bucket" / "folder")
    assert here.location("s3://bucket/nothing") == "s3://bucket/nothing"
    assert Target("role", "bucket", "us-east-1").location("s3://bucket/folder") == "s3://bucket/folder"
