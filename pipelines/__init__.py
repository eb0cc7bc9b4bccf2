"""SageMaker Pipelines for tabular LightGBM models: settings, definitions and the runner."""
