"""Reading of a channel's files, as in the XGBoost image."""

from pathlib import Path

import xgboost as xgb
from xgboost_algorithm import read_folder


def get_dmatrix(
    data_path: str | None, content_type: str, csv_weights: int = 0, is_pipe: bool = False
) -> xgb.DMatrix | None:
    """Read the files of a folder, or one file.

    Args:
        data_path: The path; None for a channel that the job does not have.
        content_type: `csv`, `libsvm` or `parquet`, or one of their MIME types.
        csv_weights: Whether the second column of a CSV file has weights.
        is_pipe: Must be false; there are no pipes on this machine.

    Returns:
        The data, or None if there is none.

    Raises:
        UserError: The data does not have the content type.
        ValueError: The data comes from a pipe.
    """
    if is_pipe:
        raise ValueError("data from a pipe is not supported on this machine; use the input mode File")
    path = Path(data_path) if data_path else None
    files = [] if path is None else [path] if path.is_file() else list(path.rglob("*"))
    if not any(file.is_file() and file.stat().st_size for file in files):
        return None
    return read_folder(path, content_type, weighted=csv_weights == 1)
