"""Transcripts of the unmodified AWS CLI: commands of more than ten services and their output."""

import subprocess
import sys
from pathlib import Path

import pytest

from local_sagemaker.client_environment import client_environment
from local_sagemaker.http.background import RunningServer
from tests.clients.conftest import FOLDER, STORY_SECONDS
from tests.clients.transcript import read

TRANSCRIPTS = sorted((FOLDER / "awscli").glob("*.txt"))


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda path: path.stem)
def test_commands_print_what_they_print_on_aws(
    server: RunningServer, data_dir: Path, tmp_path: Path, transcript: Path
) -> None:
    environment = client_environment(data_dir, server.port)
    done = subprocess.run(
        [sys.executable, str(FOLDER / "transcript.py"), str(transcript)],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        timeout=STORY_SECONDS,
    )
    assert done.returncode == 0, done.stderr


def test_the_transcripts_have_more_than_150_commands_of_more_than_ten_services() -> None:
    commands = [command.line.split() for path in TRANSCRIPTS for command in read(path.read_text(encoding="utf-8"))]
    services = [words[1] for words in commands if words[0] == "aws"]
    assert len(services) > 150
    assert len(set(services)) > 10
