"""Clarify's open-source library: the same metrics of the same facets of a Parquet file, without the flip test."""

import json
import logging
import sys
from pathlib import Path

import pandas as pd
from smclarify.bias import report

logging.disable(logging.CRITICAL)

folder = Path(sys.argv[1])
config = json.loads((folder / "parquet.json").read_text())
table = pd.read_parquet(folder / "table.parquet")
positive = config["label_values_or_threshold"]
label, predicted = (
    report.LabelColumn(config[name], table[config[name]], positive) for name in ("label", "predicted_label")
)
group = table[config["group_variable"]]
groups = 0
for facet in config["facet"]:
    for stage, predictions in ((report.StageType.PRE_TRAINING, None), (report.StageType.POST_TRAINING, predicted)):
        column = report.FacetColumn(facet["name_or_index"], facet.get("value_or_threshold"))
        metrics = config["methods"][f"{stage.value}_bias"]["methods"]
        groups += len(report.bias_report(table, column, label, stage, predictions, metrics, group))
print(f"{groups} reports")
