#!/bin/bash
# Entry point of a processing job whose script needs more than the image holds: run.sh SCRIPT [ARGUMENT ...]
set -euo pipefail
cd "$(dirname "$0")"
python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --requirement requirements.txt
exec python3 "$@"
