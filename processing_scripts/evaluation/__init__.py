"""The modules of evaluate.py, shipped with it into the processing container."""
