"""Times as AWS's services write them in strings."""

from __future__ import annotations

from datetime import UTC, datetime


def iso_time(seconds: float) -> str:
    """Format epoch seconds as `2026-11-21T13:40:00Z`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_milliseconds(seconds: float, zone: str = "Z") -> str:
    """Format epoch seconds as `2026-11-21T13:40:00.123Z`. zone: How the service writes UTC, such as `+0000`."""
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + zone
