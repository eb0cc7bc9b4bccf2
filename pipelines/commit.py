"""The commit of this repository, which model packages name as their origin."""

from __future__ import annotations

import os
import subprocess

from project.paths import REPOSITORY


def current_commit() -> str:
    """Return the checked-out commit, with "-dirty" for a changed checkout; "unknown" outside of a repository.

    In CodeBuild, which has no .git folder, it comes from the build's variable.
    """
    from_codebuild = os.environ.get("CODEBUILD_RESOLVED_SOURCE_VERSION")
    if from_codebuild:
        return from_codebuild
    command = ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return result.stdout.strip()
