"""The modules of train.py, packed with it into sourcedir.tar.gz."""
