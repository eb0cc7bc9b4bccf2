"""Evidently: drift between two CSV files by the drift preset, written as JSON."""

import sys

import pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset

baseline, current = (pd.read_csv(path) for path in sys.argv[1:])
snapshot = Report([DataDriftPreset()]).run(current_data=current, reference_data=baseline)
snapshot.save_json("drift.json")
print(f"{len(snapshot.dict()['metrics'])} metrics")
