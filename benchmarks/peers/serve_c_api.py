"""The lower bound for one record: json and LightGBM's single-row C API, without any validation.

Batches are parsed with NumPy and predicted by LightGBM's own loop over rows and trees, on all processors.
"""

import ctypes
import importlib.util
import json
from pathlib import Path

import serving


def load(folder):
    package = Path(importlib.util.find_spec("lightgbm").submodule_search_locations[0])
    library = ctypes.CDLL(str(package / "lib" / "lib_lightgbm.so"))
    booster, configuration, count = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_int()
    path = str(folder / "model" / "model.txt").encode()
    library.LGBM_BoosterCreateFromModelfile(path, ctypes.byref(count), ctypes.byref(booster))
    library.LGBM_BoosterGetNumFeature(booster, ctypes.byref(count))
    features = count.value
    library.LGBM_BoosterPredictForMatSingleRowFastInit(
        booster, 0, 0, -1, 1, features, b"num_threads=1", ctypes.byref(configuration)
    )
    row_type, score, length = ctypes.c_double * features, ctypes.c_double(), ctypes.c_int64()
    names = [f"feature_{index:02}" for index in range(features)]

    def record(body):
        values = row_type(*map(json.loads(body).get, names))
        library.LGBM_BoosterPredictForMatSingleRowFast(configuration, values, ctypes.byref(length), ctypes.byref(score))
        probability = score.value
        label = "yes" if probability >= 0.5 else "no"
        return json.dumps({"predictions": [{"label": label, "probability": probability}]})

    def rows(body):
        import numpy as np

        values = np.array(body.replace(b"\n", b",").split(b",")[:-1], dtype=float)
        scores = np.empty(len(values) // features)
        library.LGBM_BoosterPredictForMat(
            *(booster, ctypes.c_void_p(values.ctypes.data), 1, len(scores), features, 1, 0, 0, -1, b""),
            *(ctypes.byref(length), ctypes.c_void_p(scores.ctypes.data)),
        )
        return "".join(f"{int(score >= 0.5)},{score!r}\n" for score in scores.tolist())

    return record, rows


serving.run(load)
