"""Transcripts of the unmodified AWS CLI: commands of more than ten services and their output."""

import sys
from pathlib import Path

import pytest

from tests.clients.conftest import FOLDER, RunStory
from tests.clients.transcript import read

TRANSCRIPTS = sorted((FOLDER / "awscli").glob("*.txt"))


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda path: path.stem)
def test_commands_print_what_they_print_on_aws(run_story: RunStory, transcript: Path) -> None:
    run_story(Path(sys.executable), FOLDER / "transcript.py", str(transcript))


def test_the_transcripts_have_more_than_150_commands_of_more_than_ten_services() -> None:
    commands = [command.line.split() for path in TRANSCRIPTS for command in read(path.read_text(encoding="utf-8"))]
    services = [words[1] for words in commands if words[0] == "aws"]
    assert len(services) > 150
    assert len(set(services)) > 10
