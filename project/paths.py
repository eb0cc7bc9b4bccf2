"""Paths of the files that belong to the code, in a checkout and in an installed package."""

from __future__ import annotations

from pathlib import Path

# the folder that holds the packages and the scripts of the containers: a checkout, or site-packages
REPOSITORY = Path(__file__).resolve().parent.parent

DEFAULT_SETTINGS = REPOSITORY / "examples" / "breast-cancer" / "settings.yaml"
