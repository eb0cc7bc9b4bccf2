"""From an approved model package to an endpoint, and back to nothing: `python -m deployment`."""
