"""The tokens of a query of CloudWatch Logs Insights."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from local_sagemaker.protocol.errors import ServiceError

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
  | (?P<number>\d+(?:\.\d+)?(?![\w.]))
  | (?P<period>\d+(?:ms|s|m|h|d|w)\b)
  | (?P<name>`[^`]+`|[@A-Za-z_][\w.@]*)
  | (?P<symbol>=~|!=|<=|>=|[=<>()\[\],|+*/-])
    )""",
    re.VERBOSE,
)
# elsewhere, a slash is a division
_REGEX = re.compile(r"\s*(?P<regex>/(?:[^/\\]|\\.)+/i?)")
_BEFORE_REGEX = ("like", "=~")
_COMMAND_WITH_REGEX = "parse"


class Malformed(ServiceError):
    """A query that is not valid, or has something that is not implemented."""

    def __init__(self, message: str) -> None:
        super().__init__("MalformedQueryException", message)


class Tokens:
    """The tokens of a command, read from left to right. A token is its kind and its text.

    Attributes:
        text: The whole query.
    """

    def __init__(self, text: str, start: int) -> None:
        self.text = text
        self._tokens: list[tuple[str, str]] = []
        # of the tokens before each one
        self._ends = [start]
        self._next = 0

    def add(self, kind: str, text: str, end: int) -> None:
        """Add a token that ends at a position in the query."""
        self._tokens.append((kind, text))
        self._ends.append(end)

    @property
    def is_empty(self) -> bool:
        return not self._tokens

    @property
    def may_continue_with_regex(self) -> bool:
        """Whether a slash after the last token begins a regular expression."""
        texts = [text.lower() for _, text in self._tokens]
        return bool(texts) and (texts[-1] in _BEFORE_REGEX or texts[0] == _COMMAND_WITH_REGEX)

    def peek(self) -> tuple[str, str]:
        return self._tokens[self._next] if self._next < len(self._tokens) else ("end", "")

    def take(self) -> tuple[str, str]:
        token = self.peek()
        self._next += token[0] != "end"
        return token

    def takes(self, *texts: str) -> str | None:
        """Take the next token if it is one of these symbols or keywords, and return it."""
        kind, text = self.peek()
        if kind in ("symbol", "name") and text.lower() in texts:
            self._next += 1
            return text.lower()
        return None

    def read_named(self, read: Callable[[Tokens], Any]) -> list[tuple[str, Any]]:
        """Read items separated by commas, each with the name after `as`, by default its own text."""
        items: list[tuple[str, Any]] = []
        while True:
            start = self._ends[self._next]
            item = read(self)
            text = self.text[start : self._ends[self._next]].strip()
            items.append((unquoted(self.expect("name") if self.takes("as") else text), item))
            if not self.takes(","):
                return items

    def expect(self, kind: str, *texts: str) -> str:
        """Take the next token, which must be of a kind, and one of the texts if there are any."""
        found, text = self.take()
        if found != kind or (texts and text.lower() not in texts):
            wanted = " or ".join(map(repr, texts)) if texts else f"a {kind}"
            raise Malformed(f"expected {wanted}, got {text or 'the end'!r} in {self.text!r}")
        return text

    def names(self) -> list[str]:
        """Take a list of field names, separated by commas."""
        names = [unquoted(self.expect("name"))]
        while self.takes(","):
            names.append(unquoted(self.expect("name")))
        return names

    def end(self) -> None:
        """Raise Malformed if a token is left."""
        kind, text = self.peek()
        if kind != "end":
            raise Malformed(f"unexpected {text!r} in {self.text!r}")


def read_commands(text: str) -> list[Tokens]:
    """Return the commands of a query, which `|` separates. Raises Malformed."""
    text, position = text.rstrip(), 0
    commands = [Tokens(text, 0)]
    while position < len(text):
        match = _REGEX.match(text, position) if commands[-1].may_continue_with_regex else None
        match = match or _TOKEN.match(text, position)
        if match is None:
            raise Malformed(f"unexpected {text[position:].strip()[:20]!r} in {text!r}")
        kind, position = str(match.lastgroup), match.end()
        if match[kind] == "|":
            commands.append(Tokens(text, position))
        else:
            commands[-1].add(kind, match[kind], position)
    return [command for command in commands if not command.is_empty]


def unquoted(text: str) -> str:
    """Return a name without backticks, or the content of a string."""
    if text[0] == "`":
        return text[1:-1]
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text[0] in "\"'" else text


def pattern_of(text: str) -> re.Pattern[str]:
    """Return the regular expression of a token such as `/error/i`."""
    body, _, flags = text[1:].rpartition("/")
    try:
        # Java's and JavaScript's spelling of a named group
        return re.compile(re.sub(r"\(\?<(?=[A-Za-z_])", "(?P<", body), re.IGNORECASE if flags else 0)
    except re.error as error:
        raise Malformed(f"{text} is not a regular expression: {error}") from error
