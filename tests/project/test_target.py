from pathlib import Path

import pytest

from project.errors import UserError
from project.target import local_target


def test_a_local_sagemaker_that_cannot_start_is_an_error_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("LOCAL_SAGEMAKER_DIR", str(tmp_path / "file"))
    with pytest.raises(UserError, match="file is not a folder; move it, or choose another data directory"):
        local_target()
