"""The modules of monitor.py: the files of a time window, and the summary of its analyses."""
