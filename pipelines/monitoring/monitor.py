"""The step Monitor: compares captured data and ground truth of a window with the baselines, and decides on an alert.

One job runs all analyses, as each job costs minutes of instance time for seconds of work.
"""

from __future__ import annotations

from sagemaker.core.workflow.properties import PropertyFile
from sagemaker.mlops.workflow.steps import ProcessingStep

from pipelines.bundles import monitor_bundle
from pipelines.context import PipelineContext, processing_input, processing_output
from pipelines.monitoring.parameters import Parameters

SUMMARY = "summary"


def monitor_step(context: PipelineContext, parameters: Parameters, pipeline_name: str) -> ProcessingStep:
    settings = context.settings
    analyses = settings.monitoring.analyses
    baselines = {
        "data-quality-statistics": parameters.data_quality_statistics,
        "data-quality-constraints": parameters.data_quality_constraints,
        "model-quality-statistics": parameters.model_quality_statistics,
        "model-quality-constraints": parameters.model_quality_constraints,
        "bias-constraints": parameters.bias_constraints,
        "bias-config": parameters.bias_config,
        "attribution-constraints": parameters.attribution_constraints,
        "attribution-config": parameters.attribution_config,
    }
    processor = context.processor(["/bin/bash", "/opt/ml/processing/input/code/run.sh", "monitor.py"])
    return ProcessingStep(
        name="Monitor",
        description="Compare captured data and ground truth of a window with the baselines",
        step_args=processor.run(
            inputs=[
                *(processing_input(name, uri) for name, uri in baselines.items() if name.startswith(analyses)),
                processing_input("code", monitor_bundle(settings).uri(context.code_uri)),
            ],
            outputs=[processing_output(name, context.output_uri(name)) for name in (*analyses, SUMMARY)],
            arguments=_arguments(context, parameters, pipeline_name),
        ),
        property_files=[
            PropertyFile(name="MonitoringSummary", output_name=SUMMARY, path="monitoring_summary.json"),
        ],
        retry_policies=context.job_retries,
    )


def _arguments(context: PipelineContext, parameters: Parameters, pipeline_name: str) -> list[object]:
    settings = context.settings
    options: dict[str, object] = {
        "analyses": ",".join(settings.monitoring.analyses),
        "endpoint": parameters.endpoint_name,
        "schedule": pipeline_name,
        "captures": parameters.capture_uri,
        "model": parameters.model_uri,
        "window-end": parameters.window_end,
        "window-minutes": parameters.window_minutes.to_string(),
        "capture-delay-minutes": parameters.capture_delay_minutes.to_string(),
    }
    if "data-quality" in settings.monitoring.analyses:
        options |= {
            "max-drifted-share": parameters.max_drifted_share.to_string(),
            "critical-features": parameters.critical_features,
        }
    if {"model-quality", "bias"} & set(settings.monitoring.analyses):
        options |= {
            "problem-type": settings.problem_type,
            "labels": parameters.ground_truth_uri,
            "label-delay-minutes": parameters.label_delay_minutes.to_string(),
        }
    if "bias" in settings.monitoring.analyses:
        options["metric-tolerance"] = f"{settings.monitoring.metric_tolerance:g}"
    if "model-quality" in settings.monitoring.analyses:
        options |= {
            "positive-label": parameters.positive_label,
            "metric": settings.quality.metric,
            "metric-threshold": parameters.metric_threshold.to_string(),
            "max-missing-label-share": parameters.max_missing_label_share.to_string(),
        }
    arguments = [item for name, value in options.items() for item in (f"--{name}", value)]
    if not settings.monitoring.leave_out_test_requests:
        arguments.append("--include-test-requests")
    return [*arguments, "--lower-is-better"] if settings.quality.lower_is_better else arguments
