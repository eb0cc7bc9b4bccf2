"""whylogs: profile a CSV and write the profile."""

import sys

import pandas as pd
import whylogs as why

profile = why.log(pd.read_csv(sys.argv[1])).profile()
profile.view().write("profile.bin")
print(f"{len(profile.view().get_columns())} columns")
