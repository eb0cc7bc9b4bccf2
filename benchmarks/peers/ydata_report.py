"""ydata-profiling: the minimal report of a CSV."""

import sys

import pandas as pd
from ydata_profiling import ProfileReport

ProfileReport(pd.read_csv(sys.argv[1]), minimal=True, progress_bar=False).to_file("report.html")
