"""S3: its REST protocol over the object store."""
