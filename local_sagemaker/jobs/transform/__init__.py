"""What a batch transform job does with records: split, filter, join and put together again. Pure: no S3, no model."""
