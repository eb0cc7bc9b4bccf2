"""JMESPath, the language in which a configuration says where JSON has features, labels and predictions."""

from __future__ import annotations

from typing import Any

from analyzer import QualityError


class Expression:
    """A compiled JMESPath expression of a member of the configuration."""

    def __init__(self, text: str, member: str) -> None:
        try:
            # Imported here because bias metrics of CSV and Parquet must run without it; it comes with boto3.
            import jmespath
            import jmespath.exceptions
        except ImportError as error:
            raise QualityError(f"{member} is a JMESPath, which needs the package jmespath; install jmespath") from error
        try:
            self._compiled = jmespath.compile(text)
        except jmespath.exceptions.JMESPathError as error:
            reason = str(error).splitlines()[0]
            raise QualityError(f"{member} {text!r} is not a JMESPath ({reason}); correct it") from error
        self._error, self._type_error = jmespath.exceptions.JMESPathError, jmespath.exceptions.JMESPathTypeError
        self.text, self.member = text, member

    def search(self, document: Any) -> Any:
        """Return what the expression finds in a document.

        Raises:
            ValueError: It finds nothing, or cannot be applied; the message does not contain the document.
        """
        try:
            found = self._compiled.search(document)
        except self._type_error as error:
            # its own message contains the value
            reason = f"function {error.function_name}() does not take a value of type {error.actual_type}"
            raise ValueError(f"does not fit {self.member} {self.text!r} ({reason})") from None
        except (self._error, TypeError) as error:
            # a TypeError is that of comparing values of unlike types
            raise ValueError(f"does not fit {self.member} {self.text!r} ({error})") from error
        if found is None:
            raise ValueError(f"has nothing at {self.member} {self.text!r}")
        return found
