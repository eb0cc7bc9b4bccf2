from tests.project.conftest import make_settings, write_settings

__all__ = ["make_settings", "write_settings"]
