from typing import Any


def obsolete(entries: list[tuple[int, dict[str, Any]]]) -> set[int]:
    return set()
