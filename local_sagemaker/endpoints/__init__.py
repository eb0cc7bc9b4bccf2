"""Endpoints: models behind sagemaker-runtime.

`manager` creates, updates and deletes endpoints; an `endpoint` sends each request to a `variant` of one of its fleets;
 a variant keeps the model's container running. `invocations` is the HTTP side, `rollout` the traffic plan of an
update, `capture` the data capture, `metrics` what CloudWatch is told.
"""
