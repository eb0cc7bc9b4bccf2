"""Scripts that a user gives an analysis, loaded from files."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

from analyzer import QualityError


def postprocess(script: Path) -> Callable[[], Any]:
    """Load the postprocess_handler of a script, which is called without arguments when the analysis is done.

    Raises:
        QualityError: The script cannot be loaded or has no such function.
    """
    handler: Callable[[], Any] = load_handler(script, "postprocess_handler", "post_analytics_processor_script")
    return handler


def load_handler(script: Path, name: str, setting: str) -> Callable[..., Any]:
    """Load a function from a Python file.

    Args:
        script: The Python file.
        name: Name of the function.
        setting: The setting that names the script, for messages.

    Raises:
        QualityError: The script cannot be loaded or has no such function.
    """
    spec = importlib.util.spec_from_file_location(name, script)
    if not script.is_file() or spec is None or spec.loader is None:
        raise QualityError(f"{script} is not a Python file; set {setting} to a script that defines {name}")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise QualityError(
            f"{script} cannot be loaded ({type(error).__name__}: {error}); check the script that {setting} names"
        ) from error
    handler = getattr(module, name, None)
    if not callable(handler):
        raise QualityError(f"{script} has no function {name}; define it, or unset {setting}")
    result: Callable[..., Any] = handler
    return result
