"""The tables in Glue of offline stores, by which clients query them."""

from __future__ import annotations

from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.services.sagemaker.context import Context
from local_sagemaker.storage.records import Record

CATALOG, DATABASE = "AwsDataCatalog", "sagemaker_featurestore"
# columns that are folders of the offline store
PARTITIONS = ("year", "month", "day", "hour")

_GLUE_TYPES = {"Integral": "bigint", "Fractional": "double", "String": "string"}
_LAKE_FORMAT = {
    "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"},
}


def put_table(context: Context, group: Record, operation: str) -> None:
    """Create or update the Glue table of a group's offline store. Raises ServiceError."""
    config = group["OfflineStoreConfig"]
    catalog = config["DataCatalogConfig"]
    if operation == "CreateTable":
        try:
            context.glue("CreateDatabase", {"DatabaseInput": {"Name": catalog["Database"]}})
        except ServiceError as error:
            if error.code != "AlreadyExistsException":
                raise
    columns = [{"Name": item["FeatureName"].lower(), "Type": _glue_type(item)} for item in group["FeatureDefinitions"]]
    columns += [
        {"Name": "write_time", "Type": "timestamp"},
        {"Name": "api_invocation_time", "Type": "timestamp"},
        {"Name": "is_deleted", "Type": "boolean"},
    ]
    table = {
        "Name": catalog["TableName"],
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"EXTERNAL": "TRUE", "classification": "parquet"},
        "PartitionKeys": [{"Name": name, "Type": "string"} for name in PARTITIONS],
        "StorageDescriptor": {
            "Columns": columns,
            "Location": config["S3StorageConfig"]["ResolvedOutputS3Uri"],
            **_LAKE_FORMAT,
        },
    }
    context.glue(operation, {"DatabaseName": catalog["Database"], "TableInput": table})


def _glue_type(definition: Record) -> str:
    name = _GLUE_TYPES[definition["FeatureType"]]
    return f"array<{name}>" if definition.get("CollectionType") else name
