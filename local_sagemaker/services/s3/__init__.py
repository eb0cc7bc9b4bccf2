"""Amazon S3: its REST API on top of the object store."""
