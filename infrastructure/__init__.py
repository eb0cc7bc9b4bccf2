"""What a team needs around the pipelines: CloudFormation templates, the functions in them, and a command to deploy both."""
