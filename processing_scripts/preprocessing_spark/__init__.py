"""Spark as the engine of Preprocess; shipped with preprocess_spark.py."""
