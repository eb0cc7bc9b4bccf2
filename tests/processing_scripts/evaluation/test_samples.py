"""samples.jsonl has what an endpoint with the model answers."""

from __future__ import annotations

import json

import evaluate
import pytest

import inference


@pytest.mark.parametrize("name", ["cancer", "wine", "diabetes", "mixed"])
def test_the_handler_answers_the_records_with_the_predictions_beside_them(make_project, tmp_path, name):
    project = make_project(name)
    project.packed(tmp_path / "model")
    evaluate.main(
        [
            f"--model-dir={tmp_path / 'model'}",
            f"--test-dir={project.data.output / 'test'}",
            f"--records-dir={project.data.output / 'records'}",
            f"--output-dir={tmp_path / 'output'}",
        ]
    )
    lines = (tmp_path / "output" / "evaluation" / "samples.jsonl").read_text(encoding="utf-8").splitlines()
    samples = [json.loads(line) for line in lines]
    assert 0 < len(samples) <= 100
    body = json.dumps({"instances": [sample["record"] for sample in samples]})
    model = inference.model_fn(str(project.model))
    answer, _ = inference.output_fn(
        inference.predict_fn(inference.input_fn(body, "application/json"), model), "application/json"
    )
    for sample, prediction in zip(samples, json.loads(answer)["predictions"], strict=True):
        assert sample["prediction"].keys() == prediction.keys()
        for key, value in prediction.items():
            expected = value if isinstance(value, str) else pytest.approx(value, abs=1e-12)
            assert sample["prediction"][key] == expected
