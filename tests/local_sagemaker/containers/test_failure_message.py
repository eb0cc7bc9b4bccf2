import subprocess
import sys
from pathlib import Path

import pytest

from local_sagemaker.containers.failure_message import LONGEST, failure_message


def failure(code: str, folder: Path) -> str:
    """The message of a program that fails."""
    program = folder / "program.py"
    program.write_text(code)
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, cwd=folder)
    assert done.returncode != 0
    return failure_message(done.stderr.splitlines(), done.stdout.splitlines())


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("print('reading'); raise ValueError('no target')", "ValueError: no target"),
        ("raise ValueError('two\\n  lines')", "ValueError: two\n  lines"),
        (
            "import atexit\n@atexit.register\ndef leave(): raise KeyError('late')\nraise ValueError('no target')",
            "ValueError: no target",
        ),
        (
            "class Booster:\n def __del__(self): self.handle\nbooster = Booster()\nraise ValueError('no target')",
            "ValueError: no target",
        ),
        (
            "import threading, time\nthread = threading.Thread(target=lambda: 1 / 0)\nthread.start()\nthread.join()\n"
            "raise ValueError('no target')",
            "ValueError: no target",
        ),
        ("try: {}['a']\nexcept KeyError as e: raise RuntimeError('no model') from e", "RuntimeError: no model"),
        ("try: {}['a']\nexcept KeyError: raise RuntimeError('no model')", "RuntimeError: no model"),
        ("import warnings, sys; warnings.warn('old'); sys.exit('give --target')", "give --target"),
        (
            "import logging\ntry: {}['a']\nexcept KeyError: logging.exception('odd')\nraise ValueError('no target')",
            "ValueError: no target",
        ),
        (
            "import subprocess, sys\n"
            "subprocess.run([sys.executable, '-c', 'raise ValueError(\"no target\")'], check=True)",
            "ValueError: no target",
        ),
        (
            "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'exit(3)'], check=True)",
            "subprocess.CalledProcessError: ",
        ),
        ("import os\nprint('no space', flush=True)\nos._exit(2)", "no space"),
        ("def f(x: int = y): pass", "NameError: name 'y' is not defined"),
        ("x = (1", "SyntaxError: '(' was never closed"),
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        (
            "import warnings, rich.traceback\nrich.traceback.install(show_locals=True)\nwarnings.warn('old')\n"
            "try: {}['a']\nexcept KeyError as e: raise RuntimeError('no model') from e",
            "RuntimeError: no model",
        ),
        (
            "import sys, rich.traceback\nsys.stderr.reconfigure(encoding='ascii')\nrich.traceback.install()\n"
            "raise ValueError('no target')",
            "ValueError: no target",
        ),
    ],
)
def test_the_message_of_a_program_is_why_it_has_failed(tmp_path: Path, code: str, message: str) -> None:
    found = failure(code, tmp_path)
    assert found == message or (message.endswith(" ") and found.startswith(message))


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exception groups are of Python 3.11")
def test_the_message_of_a_group_has_its_exceptions(tmp_path: Path) -> None:
    code = (
        "def fail(error):\n    try: raise error\n    except Exception as raised: return raised\n"
        "raise ExceptionGroup('several', [fail(ValueError('a')), KeyError('b')])"
    )
    assert failure(code, tmp_path) == "ExceptionGroup: several (2 sub-exceptions)\nValueError: a\nKeyError: 'b'"


XGBOOST = """\
Traceback (most recent call last):
  File "train.py", line 3, in <module>
    xgb.train({}, matrix)
xgboost.core.XGBoostError: [10:11:12] /workspace/src/data/data.cc:512: Check failed: labels.Size() == num_row_ (3 vs. 4)
Stack trace:
  [bt] (0) /lib/libxgboost.so(+0x22dbbc) [0x7f0d]
  [bt] (1) /lib/libxgboost.so(XGBoosterUpdateOneIter+0x70) [0x7f0e]

Exception ignored in: <function Booster.__del__ at 0x7f2>
Traceback (most recent call last):
  File "core.py", line 1200, in __del__
    if self.handle is not None:
AttributeError: 'Booster' object has no attribute 'handle'
"""
ABORT = """\
loading
terminate called after throwing an instance of 'std::bad_alloc'
  what():  std::bad_alloc
"""
FAULT = """\
Fatal Python error: Segmentation fault

Current thread 0x00007f4 (most recent call first):
  File "train.py", line 2 in <module>
"""
POOL = '''\
multiprocessing.pool.RemoteTraceback:
"""
Traceback (most recent call last):
  File "pool.py", line 125, in worker
ValueError: no target
"""

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "train.py", line 9, in <module>
ValueError: no target
/lib/resource_tracker.py:254: UserWarning: resource_tracker: There appear to be 1 leaked semaphore objects to clean up
  warnings.warn('resource_tracker: There appear to be %d '
'''


@pytest.mark.parametrize(
    ("printed", "message"),
    [
        (
            XGBOOST,
            "xgboost.core.XGBoostError: [10:11:12] /workspace/src/data/data.cc:512: Check failed: "
            "labels.Size() == num_row_ (3 vs. 4)",
        ),
        (ABORT, "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc"),
        (FAULT, "Fatal Python error: Segmentation fault"),
        (POOL, "ValueError: no target"),
        ("ValueError: no target\nterminate called without an active exception\n", "ValueError: no target"),
        ("", ""),
    ],
)
def test_frames_and_destructors_are_not_the_message(printed: str, message: str) -> None:
    assert failure_message(printed.splitlines()) == message


def test_standard_output_counts_if_standard_error_has_only_warnings() -> None:
    errors = ["a.py:1: FutureWarning: it will change", "  warnings.warn("]
    assert failure_message(errors, ["step 1", "ERROR no target"]) == "step 1\nERROR no target"


def test_a_long_message_keeps_the_name_of_its_exception() -> None:
    message = failure_message(["Traceback (most recent call last):", "  x", "ValueError: no", *["y" * 100] * 20])
    assert message.startswith("ValueError: no\ny") and len(message) <= LONGEST
