"""LightGBM's warnings: each is printed once, and kept for metrics.json and the report."""

from __future__ import annotations

import lightgbm as lgb

# How the growth of a tree, or training, ends: usual on few rows, and nothing to act on.
USUAL = ("No further splits with positive gain", "Stopped training because there are no more leaves")


class LightGbmLog:
    """A logger for LightGBM.

    Attributes:
        warnings: The different warnings, in the order of their first appearance.
    """

    def __init__(self) -> None:
        self.warnings: list[str] = []
        lgb.register_logger(self)

    def info(self, message: str) -> None:
        """Take what LightGBM's library writes, of whatever level."""
        if "[Warning]" in message:
            self.warning(message)

    def warning(self, message: str) -> None:
        """Print and keep a warning that is new; those of the Python package come here directly."""
        text = " ".join(message.replace("[LightGBM]", "").replace("[Warning]", "").split())
        if text and text not in self.warnings and not text.startswith(USUAL):
            self.warnings.append(text)
            print(f"LightGBM warns: {text}", flush=True)
