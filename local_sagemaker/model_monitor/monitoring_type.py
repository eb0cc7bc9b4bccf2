"""What distinguishes the types of monitoring: data quality, model quality, model bias and model explainability.

Model Monitor's analyzer analyzes quality, Clarify analyzes bias and explainability. AWS does not document the inputs
and environment variables of Clarify's monitoring jobs. They are assumed to be those of the analyzer, except that a file
in the folder of Clarify's processing jobs configures the analysis, and that the baseline is an analysis.json. Of a
batch transform, AWS's examples monitor the output for bias, joined with the input, and the input for explainability.
"""

from __future__ import annotations

from dataclasses import dataclass

ENDPOINT_INPUT, ENDPOINT_OUTPUT = "endpointInput", "endpointOutput"

# the files of a baseline in the output of a baselining job
QUALITY_BASELINE = {"constraints": "constraints.json", "statistics": "statistics.json"}
CLARIFY_BASELINE = {"constraints": "analysis.json"}


@dataclass(frozen=True)
class MonitoringType:
    """A type of monitoring.

    Attributes:
        name: The MonitoringType.
        analysis_type: The environment variable of this name.
        job_prefix: Prefix of the names of the processing jobs.
        metrics: Last part of the CloudWatch namespace.
        captures: The parts of a captured inference that are read.
        batch_capture: The part of a batch transform that is read: input or output.
        is_clarify: Whether Clarify runs the analysis.
    """

    name: str
    analysis_type: str
    job_prefix: str
    metrics: str
    captures: tuple[str, ...]
    batch_capture: str
    is_clarify: bool = False


DATA_QUALITY = MonitoringType(
    "DataQuality", "DATA_QUALITY", "model-monitoring", "data-metrics", (ENDPOINT_INPUT, ENDPOINT_OUTPUT), "input"
)
MODEL_QUALITY = MonitoringType(
    "ModelQuality", "MODEL_QUALITY", "model-quality-monitoring", "model-metrics", (ENDPOINT_OUTPUT,), "output"
)
MODEL_BIAS = MonitoringType(
    "ModelBias",
    "MODEL_BIAS",
    "model-bias-monitoring",
    "bias-metrics",
    (ENDPOINT_INPUT, ENDPOINT_OUTPUT),
    "output",
    is_clarify=True,
)
MODEL_EXPLAINABILITY = MonitoringType(
    "ModelExplainability",
    "MODEL_EXPLAINABILITY",
    # a longer prefix would exceed the 63 characters of a job's name
    "model-explain-monitoring",
    "explainability-metrics",
    (ENDPOINT_INPUT,),
    "input",
    is_clarify=True,
)

MONITORING_TYPES = {type_.name: type_ for type_ in (DATA_QUALITY, MODEL_QUALITY, MODEL_BIAS, MODEL_EXPLAINABILITY)}
