"""Run a transcript of the AWS CLI: a program, so that the CLI is imported once for all of its commands.

    # a comment
    $ write policy.json {"Version": "2012-10-17"}
    $ zip policies.zip policy.json
    $ aws s3api create-bucket --bucket b --query Location
    "/b"
    $ aws s3api head-bucket --bucket other
    ! Not Found

A command's output must be the lines below it; `...` stands for any further lines, and a command without lines below it
may print anything. `!` is for part of the error of a command that must fail. All commands but `write` and `zip` are the
unmodified CLI's.
"""

import contextlib
import io
import shlex
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from awscli.clidriver import create_clidriver


@dataclass
class Command:
    line: str
    expected: list[str] = field(default_factory=list)


def read(text: str) -> list[Command]:
    commands: list[Command] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            commands.append(Command(line.removeprefix("$ ")))
        elif line.strip() and not line.startswith("#"):
            commands[-1].expected.append(line)
    return commands


# kept, as it has loaded the models of services
DRIVER = create_clidriver()


def run(line: str) -> tuple[int, str, str]:
    """Return the exit code, the output and the errors of a command."""
    if line.startswith("write "):
        _, name, content = line.split(" ", 2)
        Path(name).write_text(content + "\n", encoding="utf-8")
        return 0, "", ""
    if line.startswith("zip "):
        _, archive, member = line.split(" ")
        with zipfile.ZipFile(archive, "w") as zipped:
            zipped.write(member)
        return 0, "", ""
    # the CLI writes bytes, too
    output, errors = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        code = DRIVER.main(shlex.split(line)[1:])
    output.flush()
    return code, output.buffer.getvalue().decode(), errors.getvalue()


def fault(command: Command) -> str | None:
    """Run a command; return what is wrong with its result, None if it is as expected."""
    code, output, errors = run(command.line)
    if command.expected and command.expected[0].startswith("! "):
        words = command.expected[0].removeprefix("! ")
        return (
            None if code != 0 and words in errors else f"expected the error {words!r}, got {code}: {errors or output}"
        )
    if code != 0:
        return f"exit code {code}: {errors}"
    expected = command.expected
    lines = [line.rstrip() for line in output.splitlines() if line.strip()]
    if expected[-1:] == ["..."]:
        expected, lines = expected[:-1], lines[: len(expected) - 1]
    return None if not command.expected or lines == expected else f"expected {expected}, got {lines}"


def main(file: str) -> None:
    commands = read(Path(file).read_text(encoding="utf-8"))
    faults = [f"$ {command.line}\n{found}" for command in commands if (found := fault(command))]
    sys.exit("\n\n".join(faults) or 0)


if __name__ == "__main__":
    main(sys.argv[1])
