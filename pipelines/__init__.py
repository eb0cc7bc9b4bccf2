"""SageMaker Pipelines for tabular LightGBM models: definitions, code bundles and the runner."""
