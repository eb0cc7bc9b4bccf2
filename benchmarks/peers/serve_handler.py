"""This project's inference.py: input_fn, predict_fn and output_fn."""

import sys
from pathlib import Path

import serving

sys.path.insert(0, str(Path(__file__).parents[2] / "inference"))


def load(folder):
    import inference

    model = inference.model_fn(str(folder / "model"))

    def answer(body, content_type):
        return inference.output_fn(inference.predict_fn(inference.input_fn(body, content_type), model), content_type)[0]

    return lambda body: answer(body, "application/json"), lambda body: answer(body, "text/csv")


serving.run(load)
