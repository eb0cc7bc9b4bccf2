"""A settings file for a table: what its columns seem to be, each guess with its reason."""
