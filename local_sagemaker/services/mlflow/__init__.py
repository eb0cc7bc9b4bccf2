"""The MLflow servers behind MLflow Apps and tracking servers."""
