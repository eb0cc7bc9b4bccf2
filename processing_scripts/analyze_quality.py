"""Analyse data or model quality in a Processing job, for accounts without Model Monitor.

It is Model Monitor's analyzer by contract: the same environment variables (dataset_source, dataset_format, output_path,
baseline_statistics, ...; analyzer/__main__.py lists them all), the same statistics.json, constraints.json and
constraint_violations.json. The package analyzer lies beside this script; requirements are pyarrow and numpy,
which the scikit-learn image has, and datasketches, which it has not.

  python3 analyze_quality.py [--fail-on-violation]

The exit status is 0 when the analysis ran, 1 when it could not, and with --fail-on-violation 3 where there are
violations, which fails the job as a QualityCheck step with fail_on_violation does.

With InstanceCount above 1 and a dataset that is ShardedByS3Key each instance writes its partial profile; a second job
on one instance, with dataset_format {"profile": {}} and these as dataset_source, merges and checks them.
"""

from __future__ import annotations

import argparse
import sys

from analyzer.__main__ import FAIL_ON_VIOLATION, main


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(FAIL_ON_VIOLATION, action="store_true", help="exit with 3 where there are violations")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main([FAIL_ON_VIOLATION] if parse_arguments().fail_on_violation else []))
