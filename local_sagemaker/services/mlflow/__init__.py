"""MLflow servers: what is behind MLflow Apps and tracking servers."""
