"""What users' scripts import of SageMaker Containers, the earlier name of the training toolkit: `entry_point`."""
