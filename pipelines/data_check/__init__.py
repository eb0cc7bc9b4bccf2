"""Check data before an execution: Preprocess's own validation, and a page with a profile of the features."""
