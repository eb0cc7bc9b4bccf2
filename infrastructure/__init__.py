"""What a team needs around the pipeline, as CloudFormation stacks: `python -m infrastructure`."""
