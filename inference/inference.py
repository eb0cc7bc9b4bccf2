"""Serve a model: the functions that SageMaker's scikit-learn serving container calls.

model_fn(model_dir), input_fn(body, content_type), predict_fn(rows, model), output_fn(predictions, accept).
In: text/csv (with or without a header), application/json (an object, a list of objects, {"instances": [...]}, plain arrays),
application/jsonlines. Out: application/json {"predictions": [{"label": ..., "probability": ..., "probabilities": {...}}]},
application/jsonlines, or text/csv lines `prediction,probability`.
"""
