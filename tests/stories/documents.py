"""The commands of a Markdown file, as a reader types them, and a shell that runs them in their order.

Blocks marked `bash` are run, except those after the comment `<!-- needs an AWS account -->`. A block marked `yaml`
after a line that ends with the name of a file, as in "save this as `settings.yaml`:", is written to it. A block marked
`text` is a part of the output of the last command. A command ends with `# exit code N` if N is not 0.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

NEEDS_AWS = "<!-- needs an AWS account -->"
# the tests would run themselves
NOT_RUN = ("make test",)
_BLOCK = re.compile(r"(?P<before>[^\n]*)\n+```(?P<language>\w*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"`([\w./-]+)`:$")
_EXIT_CODE = re.compile(r"# exit code (\d)")
# one command: its continued lines, or a here-document
_COMMAND = re.compile(r"(?:[^\n]*<<'EOF'\n.*?^EOF$|(?:[^\n]*\\\n)*[^\n]*)\n", re.MULTILINE | re.DOTALL)
# what differs from run to run: identifiers of executions, ports of servers, durations
_VARIABLE = (
    (re.compile(r"\b[a-z0-9]{12}\b"), "ID"),
    (re.compile(r"\b127\.0\.0\.1:\d+"), "ADDRESS"),
    (re.compile(r"\b\d+\.\d\b"), "SECONDS"),
    (re.compile(r"\s+"), " "),
)
_START, _END = "\036", "\037"


@dataclass
class Command:
    """A command of a document, with the output that the document shows."""

    text: str
    shown: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        found = _EXIT_CODE.search(self.text)
        return int(found[1]) if found else 0


@dataclass(frozen=True)
class Done:
    """A command that was run."""

    command: Command
    output: str
    code: int

    def lines_not_printed(self) -> list[str]:
        """Return the lines of output that the document shows and the command did not print."""
        printed = {_masked(line) for line in self.output.splitlines()}
        return [line for line in self.command.shown if _masked(line) not in printed]


def commands(markdown: str) -> list[Command]:
    """Return the commands of a document."""
    found: list[Command] = []
    for block in _BLOCK.finditer(markdown):
        before, language, body = block["before"], block["language"], block["body"]
        if language == "bash" and before != NEEDS_AWS:
            texts = (match[0].rstrip() for match in _COMMAND.finditer(body))
            found += [Command(text) for text in texts if text and not text.startswith(NOT_RUN)]
        elif language == "yaml" and (file := _FILE.search(before)):
            found.append(Command(f"cat > {file[1]} <<'EOF'\n{body}EOF"))
        elif language == "text":
            found[-1].shown += [line for line in body.splitlines() if line.strip()]
    return found


def run(commands: Sequence[Command], folder: Path, environment: dict[str, str], timeout: float) -> Iterator[Done]:
    """Run commands in one shell, which answers every question with yes, up to the first unexpected exit code."""
    script = folder.parent / "commands.sh"
    script.write_text("".join(_script(command) for command in commands), encoding="utf-8")
    shell = subprocess.run(
        ["/bin/bash", "-c", f"yes | bash '{script}'"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )
    for command, printed in zip(commands, shell.stdout.split(_START)[1:], strict=False):
        output, _, code = printed.partition(_END)
        # output of a command in the background may follow
        code, _, rest = code.partition("\n")
        yield Done(command, output + rest, int(code or -1))


def _script(command: Command) -> str:
    return (
        f"printf '{_START}'\n{command.text}\ncode=$?\nprintf '{_END}%s\\n' $code\n"
        f"[ $code = {command.exit_code} ] || exit 1\n"
    )


def _masked(line: str) -> str:
    for pattern, word in _VARIABLE:
        line = pattern.sub(word, line)
    return line.strip()
