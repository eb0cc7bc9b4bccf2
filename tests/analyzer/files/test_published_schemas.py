"""Files against the schemas that AWS publishes for them.

They are in the developer guide: "Schema for Statistics", "Schema for Constraints" and "Schema for Violations".
"""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.constraints.data_quality import check, suggest
from analyzer.files.constraints_file import constraints_to_json, violations_to_json
from analyzer.files.statistics_file import statistics_to_json
from analyzer.profile.profile import Profile
from analyzer.profile.statistics import Statistics

Schema = dict[str, Any]

STRING: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
# Replaces a sum that overflows a double. Model Monitor itself writes it for an undefined deviation.
NUMBER_OR_NAN: Schema = {"anyOf": [NUMBER, {"const": "NaN"}]}
SWITCH: Schema = {"enum": ["Enabled", "Disabled"]}


def record(optional: tuple[str, ...] = (), /, **properties: Schema) -> Schema:
    """Return the schema of an object with exactly these properties, all required except the optional ones."""
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def array(items: Schema) -> Schema:
    return {"type": "array", "items": items}


COMMON = record(num_present=NUMBER, num_missing=NUMBER)
STATISTICS = record(
    version=NUMBER,
    dataset=record(item_count=NUMBER),
    features=array(
        {
            "anyOf": [
                record(
                    name=STRING,
                    inferred_type={"enum": ["Fractional", "Integral"]},
                    numerical_statistics=record(
                        common=COMMON,
                        mean=NUMBER_OR_NAN,
                        sum=NUMBER_OR_NAN,
                        std_dev=NUMBER_OR_NAN,
                        min=NUMBER,
                        max=NUMBER,
                        distribution=record(
                            kll=record(
                                buckets=array(record(lower_bound=NUMBER, upper_bound=NUMBER, count=NUMBER)),
                                sketch=record(parameters=record(c=NUMBER, k=NUMBER), data=array(array(NUMBER))),
                            )
                        ),
                    ),
                ),
                record(
                    name=STRING,
                    inferred_type={"enum": ["String", "Unknown"]},
                    string_statistics=record(
                        common=COMMON,
                        distinct_count=NUMBER,
                        distribution=record(categorical=record(buckets=array(record(value=STRING, count=NUMBER)))),
                    ),
                ),
            ]
        }
    ),
)
CONSTRAINTS = record(
    version=NUMBER,
    features=array(
        record(
            ("num_constraints", "string_constraints"),
            name=STRING,
            inferred_type={"enum": ["Integral", "Fractional", "String", "Unknown"]},
            completeness={"type": "number", "minimum": 0, "maximum": 1},
            num_constraints=record(is_non_negative={"type": "boolean"}),
            string_constraints=record(domains=array(STRING)),
        )
    ),
    monitoring_config=record(
        evaluate_constraints=SWITCH,
        emit_metrics=SWITCH,
        datatype_check_threshold=NUMBER,
        domain_content_threshold=NUMBER,
        distribution_constraints=record(
            perform_comparison=SWITCH,
            comparison_threshold=NUMBER,
            comparison_method={"enum": ["Simple", "Robust"]},
            categorical_comparison_threshold=NUMBER,
            categorical_drift_method={"enum": ["LInfinity", "ChiSquared"]},
        ),
    ),
)
CHECKS = ("data_type", "completeness", "baseline_drift", "missing_column", "extra_column", "categorical_values")
VIOLATIONS = record(
    violations=array(
        record(
            feature_name=STRING,
            constraint_check_type={"enum": [f"{name}_check" for name in CHECKS]},
            description=STRING,
        )
    )
)

VALUES = st.one_of(
    st.lists(st.one_of(st.none(), st.integers(-(2**62), 2**62)), min_size=3, max_size=3),
    st.lists(st.one_of(st.none(), st.floats()), min_size=3, max_size=3),
    st.lists(st.one_of(st.none(), st.sampled_from(["a", "b", "ü"])), min_size=3, max_size=3),
)
TABLE = st.dictionaries(st.sampled_from(["x", "y", "größe", "extra"]), VALUES, min_size=1).map(
    lambda columns: {"key": ["k", "k", "k"], **columns}
)


def statistics(columns: dict[str, Any]) -> Statistics:
    return Profile.from_batches([pa.RecordBatch.from_pydict(columns)]).statistics()


@settings(max_examples=60)
@given(TABLE, TABLE)
def test_files_match_the_published_schemas_for_any_data(before: dict[str, Any], now: dict[str, Any]) -> None:
    baseline, current = statistics(before), statistics(now)
    constraints = suggest(baseline)
    for document, schema in (
        (statistics_to_json(current), STATISTICS),
        (constraints_to_json(constraints), CONSTRAINTS),
        (violations_to_json(check(current, constraints, baseline)), VIOLATIONS),
    ):
        jsonschema.validate(json.loads(json.dumps(document, allow_nan=False)), schema)
