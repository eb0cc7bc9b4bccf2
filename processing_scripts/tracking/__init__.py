"""The modules of track.py, shipped with it into the processing container."""
