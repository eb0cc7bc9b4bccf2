"""Predict through LightGBM's C API.

`import lightgbm` takes seconds and most of the memory of a serving process, because it imports pandas and scikit-learn
where they are installed; the library alone loads in milliseconds. Where the C API cannot be used (another layout of
the package, another version of the API), lightgbm is imported.

Functions and constants: https://lightgbm.readthedocs.io/en/stable/C-API.html
"""

from __future__ import annotations

import ctypes
import importlib.util
import sys
import weakref
from array import array
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from bitvectors import BitvectorTrees

NORMAL, RAW_SCORE, CONTRIBUTIONS = 0, 1, 3
FLOAT64, ALL_TREES = 1, -1
COLUMN_MAJOR, ROW_MAJOR = 0, 1
# From this many rows, NumPy is worth its import (see bitvectors.py) and LightGBM's threads are worth their start.
MANY_ROWS = 200

# n numbers, or n lists of a number per class for more than two classes; for many rows an array.
Scores: TypeAlias = "list[float] | list[list[float]] | np.ndarray"


class Booster:
    """A model.txt, for predictions from any number of threads at once.

    Args:
        path: The model.txt.
        raw_scores: Whether to predict raw scores, the sums of the trees, instead of probabilities and numbers.
        exact: Whether many rows get LightGBM's predictions to the last bit, as few rows do, instead of up to rounding.

    Raises:
        ValueError: LightGBM cannot read the file.
    """

    def __init__(self, path: Path, *, raw_scores: bool = False, exact: bool = False):
        self.path, self._raw_scores, self._exact = path, raw_scores, exact
        try:
            self._engine: CApi | ImportedLightGbm = CApi(path, raw_scores)
        except (OSError, AttributeError) as error:
            print(f"LightGBM's C API cannot be used ({error}); importing lightgbm", file=sys.stderr)
            self._engine = ImportedLightGbm(path, raw_scores)
        self.num_features, self.num_scores = self._engine.num_features, self._engine.num_scores

    def predict_row(self, values: Sequence[float]) -> Scores:
        """Predict for one row.

        Args:
            values: ``num_features`` values, NaN for a missing one.

        Returns:
            A list with one item per row: a probability or number, or for more than two classes a list of probabilities.
        """
        scores = self._engine.predict_row(values)
        return scores if self.num_scores == 1 else [scores]

    def predict_rows(self, rows: Sequence[Sequence[float]]) -> Scores:
        """Predict for several rows."""
        if len(rows) < MANY_ROWS:
            return self._by_row(self._engine.predict_rows(rows))
        import numpy as np

        return self.predict_columns(np.ascontiguousarray(np.array(rows, dtype=np.float64).T))

    def predict_columns(self, columns: np.ndarray) -> np.ndarray:
        """Predict for many rows.

        Args:
            columns: float64, C-contiguous, shape (num_features, n).

        Returns:
            Shape (n,), or (n, classes) for more than two classes.
        """
        if self._bitvectors is not None:
            return self._bitvectors.predict(columns)
        scores = self._engine.predict_columns(columns)
        return scores if self.num_scores == 1 else scores.reshape(-1, self.num_scores)

    def contributions(self, rows: Sequence[Sequence[float]]) -> Sequence[float]:
        """Compute what each column adds to the raw scores of the rows (TreeSHAP).

        Returns:
            For each row, and in it for each of ``num_scores``, the contributions of the columns and the base value,
            one after the other.

        Raises:
            RuntimeError: LightGBM cannot explain the model.
        """
        return self._engine.contributions(rows)

    def contributions_of_columns(self, columns: np.ndarray) -> np.ndarray:
        """Compute the contributions to the raw scores of many rows.

        Args:
            columns: float64, C-contiguous, shape (num_features, n).

        Returns:
            Shape (n, num_scores, num_features + 1), the base value last.

        Raises:
            RuntimeError: LightGBM cannot explain the model.
        """
        contributions = self._engine.contributions_of_columns(columns)
        return contributions.reshape(-1, self.num_scores, self.num_features + 1)

    @cached_property
    def _bitvectors(self) -> BitvectorTrees | None:
        """Built on first use, because most processes never receive many rows at once."""
        if self._exact:
            return None
        import bitvectors

        return bitvectors.read_model(self.path, self._raw_scores)

    def _by_row(self, scores: list[float]) -> Scores:
        if self.num_scores == 1:
            return scores
        return [scores[start : start + self.num_scores] for start in range(0, len(scores), self.num_scores)]


class CApi:
    """A booster of the shared library. LightGBM locks inside, so that threads may share a handle.

    Raises:
        OSError: The library is missing.
        AttributeError: The library lacks one of the functions.
        ValueError: The library cannot read the model.
    """

    def __init__(self, path: Path, raw_scores: bool = False):
        self._kind = RAW_SCORE if raw_scores else NORMAL
        self._library = ctypes.CDLL(str(library_path()))
        self._library.LGBM_GetLastError.restype = ctypes.c_char_p
        # Looked up once, because a lookup costs a microsecond.
        self._predict_single = self._library.LGBM_BoosterPredictForMatSingleRowFast
        # An address that is an int would be passed as a C int.
        self._predict_single.argtypes = [ctypes.c_void_p] * 4
        self._booster, self._configuration = ctypes.c_void_p(), ctypes.c_void_p()
        trees, classes, features = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
        created = ctypes.byref(trees), ctypes.byref(self._booster)
        if self._library.LGBM_BoosterCreateFromModelfile(str(path).encode(), *created) != 0:
            raise ValueError(f"LightGBM cannot read {path.name}: {self._last_error()}")
        freed = weakref.finalize(self, free, self._library, self._booster, self._configuration)
        # At exit, a thread may still be predicting.
        freed.atexit = False
        self._call("BoosterGetNumClasses", self._booster, ctypes.byref(classes))
        self._call("BoosterGetNumFeature", self._booster, ctypes.byref(features))
        self.num_scores, self.num_features = classes.value, features.value
        self._call(
            "BoosterPredictForMatSingleRowFastInit",
            *(self._booster, self._kind, 0, ALL_TREES, FLOAT64, features, b"num_threads=1"),
            ctypes.byref(self._configuration),
        )
        self._scores = ctypes.c_double * self.num_scores

    def predict_row(self, values: Sequence[float]) -> list[float]:
        # Each call has its own buffers, because threads must not share them.
        row, scores, length = array("d", values), self._scores(), ctypes.c_int64()
        address, _ = row.buffer_info()
        if self._predict_single(self._configuration, address, ctypes.byref(length), scores) != 0:
            raise RuntimeError(self._last_error())
        return scores[:]

    def predict_rows(self, rows: Sequence[Sequence[float]]) -> list[float]:
        return self._predict(self._matrix(rows), len(rows), ROW_MAJOR, b"num_threads=1")[:]

    def contributions(self, rows: Sequence[Sequence[float]]) -> Sequence[float]:
        # For one row, threads are not worth their start.
        parameters = b"num_threads=1" if len(rows) == 1 else b""
        return self._predict(self._matrix(rows), len(rows), ROW_MAJOR, parameters, CONTRIBUTIONS)[:]

    def predict_columns(self, columns: np.ndarray) -> np.ndarray:
        return self._of_columns(columns)

    def contributions_of_columns(self, columns: np.ndarray) -> np.ndarray:
        return self._of_columns(columns, CONTRIBUTIONS)

    def _of_columns(self, columns: np.ndarray, kind: int | None = None) -> np.ndarray:
        import numpy as np

        values = ctypes.c_void_p(columns.ctypes.data)
        return np.ctypeslib.as_array(self._predict(values, columns.shape[1], COLUMN_MAJOR, b"", kind))

    def _matrix(self, rows: Sequence[Sequence[float]]) -> ctypes.Array[ctypes.c_double]:
        return (ctypes.c_double * (len(rows) * self.num_features))(*(value for row in rows for value in row))

    def _predict(
        self, values: Any, rows: int, order: int, parameters: bytes, kind: int | None = None
    ) -> ctypes.Array[ctypes.c_double]:
        kind = self._kind if kind is None else kind
        width = self.num_scores * (self.num_features + 1 if kind == CONTRIBUTIONS else 1)
        scores, length = (ctypes.c_double * (rows * width))(), ctypes.c_int64()
        self._call(
            "BoosterPredictForMat",
            *(self._booster, values, FLOAT64, ctypes.c_int32(rows), ctypes.c_int32(self.num_features), order),
            *(kind, 0, ALL_TREES, parameters, ctypes.byref(length), scores),
        )
        return scores

    def _call(self, name: str, *arguments: Any) -> None:
        if getattr(self._library, f"LGBM_{name}")(*arguments) != 0:
            raise RuntimeError(self._last_error())

    def _last_error(self) -> str:
        return str(self._library.LGBM_GetLastError().decode(errors="replace"))


class ImportedLightGbm:
    """A booster of the lightgbm package."""

    def __init__(self, path: Path, raw_scores: bool = False):
        import lightgbm

        self._raw_scores = raw_scores
        try:
            self._booster = lightgbm.Booster(model_file=path)
        except lightgbm.basic.LightGBMError as error:
            raise ValueError(f"LightGBM cannot read {path.name}: {error}") from error
        self.num_features = self._booster.num_feature()
        self.num_scores = self._booster.num_model_per_iteration()

    def predict_row(self, values: Sequence[float]) -> list[float]:
        return self.predict_rows([values])

    def predict_rows(self, rows: Sequence[Sequence[float]]) -> list[float]:
        import numpy as np

        return self._predict(np.array(rows, dtype=np.float64)).tolist()

    def predict_columns(self, columns: np.ndarray) -> np.ndarray:
        return self._predict(columns.T)

    def contributions(self, rows: Sequence[Sequence[float]]) -> Sequence[float]:
        import numpy as np

        contributions: list[float] = self.contributions_of_columns(np.array(rows, dtype=np.float64).T).tolist()
        return contributions

    def contributions_of_columns(self, columns: np.ndarray) -> np.ndarray:
        import numpy as np

        return np.asarray(self._booster.predict(columns.T, pred_contrib=True)).ravel()

    def _predict(self, matrix: np.ndarray) -> np.ndarray:
        import numpy as np

        return np.asarray(self._booster.predict(matrix, raw_score=self._raw_scores)).ravel()


def free(library: ctypes.CDLL, booster: ctypes.c_void_p, configuration: ctypes.c_void_p) -> None:
    """Free both handles: the configuration first, because it points to the booster."""
    if configuration:
        library.LGBM_FastConfigFree(configuration)
    library.LGBM_BoosterFree(booster)


def library_path() -> Path:
    """Find the shared library of the lightgbm package, without importing the package.

    Raises:
        OSError: The package or its library is missing.
    """
    package = importlib.util.find_spec("lightgbm")
    folders = (package and package.submodule_search_locations) or []
    suffix = {"darwin": "lib_lightgbm.dylib", "win32": "lib_lightgbm.dll"}.get(sys.platform, "lib_lightgbm.so")
    for folder in folders:
        for path in (Path(folder) / "lib" / suffix, Path(folder) / suffix):
            if path.is_file():
                return path
    raise OSError(f"{suffix} is not in the lightgbm package")
