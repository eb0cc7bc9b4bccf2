"""Endpoints: hosted models that are invoked through sagemaker-runtime.

`manager` creates, updates and deletes endpoints. An `endpoint` routes each request to a `variant` of one of its fleets;
a variant keeps the model's container running. `invocations` implements sagemaker-runtime, `traffic_shifting` the
deployment of an update, `data_capture` data capture, and `metrics` the invocation metrics in CloudWatch.
"""
