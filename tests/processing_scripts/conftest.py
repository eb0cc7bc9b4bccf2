"""Fixtures shared by the tests of all container scripts."""

from tests.container_scripts import make_project, run_preprocess, run_train

__all__ = ["make_project", "run_preprocess", "run_train"]
