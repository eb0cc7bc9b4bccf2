"""What preprocess.py is made of; it ships with it into the processing container."""
