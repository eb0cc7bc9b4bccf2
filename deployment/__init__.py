"""Deploy approved model packages to endpoints and remove them again: `python -m deployment`."""
