"""A common handler: JSON or CSV to a DataFrame to Booster.predict."""

import io
import json

import lightgbm as lgb
import pandas as pd
import serving


def load(folder):
    booster = lgb.Booster(model_file=folder / "model" / "model.txt")
    names = booster.feature_name()

    def record(body):
        frame = pd.DataFrame([json.loads(body)])[names]
        # More threads do not speed up one row, and slow it down a lot if a core is busy.
        (score,) = booster.predict(frame, num_threads=1).tolist()
        predictions = [{"label": "yes" if score >= 0.5 else "no", "probability": score}]
        return json.dumps({"predictions": predictions})

    def rows(body):
        scores = booster.predict(pd.read_csv(io.BytesIO(body), header=None, names=names))
        frame = pd.DataFrame({"prediction": (scores >= 0.5).astype(int), "probability": scores})
        return frame.to_csv(index=False, header=False)

    return record, rows


serving.run(load)
