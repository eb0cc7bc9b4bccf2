"""What monitor.py is made of: the files of a window of time, and what its analyses come to."""
