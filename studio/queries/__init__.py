"""What the pages read from the API, one module a page; nothing here knows of HTTP or HTML."""
