"""Arrow reads a CSV and writes the same table as Parquet: the least that Preprocess does.

Usage: read_write.py CSV ROUNDS. The rounds are ignored.
"""

import sys

import pyarrow.csv
import pyarrow.parquet

pyarrow.parquet.write_table(pyarrow.csv.read_csv(sys.argv[1]), "table.parquet")
