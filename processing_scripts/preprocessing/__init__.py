"""The modules of preprocess.py, shipped with it into the processing container."""
