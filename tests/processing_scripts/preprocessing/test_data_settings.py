"""data.json: the settings that do not fit into the arguments of a container."""

from __future__ import annotations

from pathlib import Path

import pytest
from preprocess import parse_arguments
from preprocessing.data_settings import DataSettings


def test_without_a_file_all_settings_have_their_defaults() -> None:
    options = parse_arguments(["--problem-type", "Regression", "--target-column", "y"])
    assert options.data_settings == DataSettings()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"lag": 1}', "has 'lag'; expected a JSON object with the settings"),
        ("[]", "has list; expected a JSON object"),
        ("{", "cannot be read"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_is_not_understood_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, message: str
) -> None:
    path = tmp_path / "settings.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SystemExit) as exit_:
        parse_arguments(["--problem-type", "Regression", "--target-column", "y", "--data-settings", str(path)])
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err
