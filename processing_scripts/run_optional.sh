#!/bin/bash
# Like run.sh, for a script that does without its requirements if pip has no network: run_optional.sh SCRIPT [ARGUMENT ...]
set -uo pipefail
cd "$(dirname "$0")" || exit
python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --retries=1 --timeout=10 \
  --requirement requirements.txt || echo "warning: the requirements are not installed"
exec python3 "$@"
