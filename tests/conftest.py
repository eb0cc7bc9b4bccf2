"""What holds for all tests."""

import os

# A server keeps an interpreter ready that has imported all that jobs may want: seconds of work, for each of the many
# servers that are started here, and few of their jobs import anything. Tests in which they do say otherwise.
os.environ["LOCAL_SAGEMAKER_WARM"] = "0"
