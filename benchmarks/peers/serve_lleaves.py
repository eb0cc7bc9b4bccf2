"""lleaves: the model compiled once with LLVM and cached next to the model file; CSV is parsed with pandas."""

import io
import json

import lleaves
import numpy as np
import pandas as pd
import serving


def load(folder):
    model = lleaves.Model(model_file=str(folder / "model" / "model.txt"))
    model.compile(cache=str(folder / "model" / "model.bin"))
    names = [f"feature_{index:02}" for index in range(model.num_feature())]

    def record(body):
        values = json.loads(body)
        (score,) = model.predict(np.array([[values[name] for name in names]]), n_jobs=1)
        label = "yes" if score >= 0.5 else "no"
        return json.dumps({"predictions": [{"label": label, "probability": float(score)}]})

    def rows(body):
        scores = model.predict(pd.read_csv(io.BytesIO(body), header=None).to_numpy())
        return "".join(f"{int(score >= 0.5)},{score!r}\n" for score in scores.tolist())

    return record, rows


serving.run(load)
