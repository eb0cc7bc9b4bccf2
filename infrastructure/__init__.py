"""What a team needs around the pipelines: templates, the functions in them, and a command that deploys both."""
