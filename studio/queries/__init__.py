"""Calls of the API behind the pages, independent of HTTP and HTML."""
