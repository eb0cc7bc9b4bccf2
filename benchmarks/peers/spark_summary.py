"""PySpark on two cores: the summary (count, mean, deviation, extremes, quartiles) of a CSV."""

import sys

from pyspark.sql import SparkSession

spark = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
spark.sparkContext.setLogLevel("ERROR")
for row in spark.read.csv(sys.argv[1], header=True, inferSchema=True).summary().collect():
    print(row["summary"], row["number_00"])
spark.stop()
