"""Studio: a web page over the same API calls as the commands, for an AWS account or the local SageMaker.

It keeps no state: every page shows what the API returns, so that it shows the pipelines of any project.
"""
