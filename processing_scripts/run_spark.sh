#!/bin/bash
# Entry point of a PySpark step, on every instance: run_spark.sh SCRIPT [ARGUMENT ...]
# Installs what the script needs beyond the image. smspark-submit then makes all instances a cluster and runs the script
# on the first.
set -euo pipefail
cd "$(dirname "$0")"
python="${PYSPARK_PYTHON:-python3}"
"$python" -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --requirement requirements.txt
work="$(mktemp -d)"
# the working folder of an executor is not this one, so it imports our modules from an archive
"$python" -m zipfile --create "$work/code.zip" ./*
# By default, driver and executor may together take more memory than there is, of which Python gets a tenth, and their
# Java options are those of Java 8, which the image no longer has.
memory=$(($(getconf PAGE_SIZE) * $(getconf _PHYS_PAGES) / 1048576))
mkdir -p /opt/ml/processing/input/conf
cat > /opt/ml/processing/input/conf/configuration.json <<JSON
{
  "Classification": "spark-defaults",
  "Properties": {
    "spark.driver.memory": "$((memory * 15 / 100))m",
    "spark.driver.defaultJavaOptions": "-XX:+ExitOnOutOfMemoryError",
    "spark.executor.memory": "$((memory * 35 / 100))m",
    "spark.executor.memoryOverhead": "$((memory * 35 / 100))m",
    "spark.executor.defaultJavaOptions": "-XX:+ExitOnOutOfMemoryError"
  }
}
JSON
export EXIT_MESSAGE_COPY="$work/message"
status=0
smspark-submit --py-files "$work/code.zip" "$PWD/$1" "${@:2}" || status=$?
# smspark-submit replaces the exit message of a script that fails by one without the reason
if [ -s "$work/message" ]; then cp "$work/message" /opt/ml/output/message; fi
rm -rf "$work"
exit "$status"
