"""A local run opens no connection beyond the loopback interface."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from project.paths import REPOSITORY

pytestmark = pytest.mark.slow

# In a network namespace that has only a loopback interface, the kernel counts all packets without a route: those of the
# runner, the server, the jobs and their name lookups.
SCRIPT = """
import fcntl, socket, struct, subprocess, sys
from pathlib import Path

with socket.socket() as sock:
    up = struct.pack("16sh", b"lo", 0x1)
    fcntl.ioctl(sock, 0x8914, up)  # SIOCSIFFLAGS, IFF_UP

def no_routes():
    names, values = (line.split() for line in Path("/proc/net/snmp").read_text().splitlines()[:2])
    ipv6 = dict(line.split() for line in Path("/proc/net/snmp6").read_text().splitlines())
    return int(values[names.index("OutNoRoutes")]) + int(ipv6["Ip6OutNoRoutes"])

def attempt():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(("192.0.2.1", 53))
        except OSError:
            pass

before = no_routes()
attempt()
assert no_routes() > before, "the kernel does not count packets without a route"
before = no_routes()
code = subprocess.run([sys.executable, "-m", "pipelines", "run", "--local"]).returncode
subprocess.run([sys.executable, "-m", "local_sagemaker", "stop"])
print("exit code", code, "attempts", no_routes() - before)
"""


def test_a_run_sends_nothing_beyond_loopback(tmp_path: Path) -> None:
    unshare = shutil.which("unshare")
    isolate = [unshare or "unshare", "--net", "--user", "--map-root-user"]
    if unshare is None or subprocess.run([*isolate, "true"], capture_output=True, timeout=10, check=False).returncode:
        pytest.skip("network namespaces are not available")
    environment = {
        "PATH": str(Path(sys.executable).parent) + ":/usr/bin:/bin",
        "HOME": str(tmp_path),
        "PYTHONPATH": str(REPOSITORY),
        "LOCAL_SAGEMAKER_DIR": str(tmp_path / "local_sagemaker"),
    }
    result = subprocess.run(
        [*isolate, sys.executable, "-c", SCRIPT],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert "exit code 0 attempts 0" in result.stdout, result.stdout + result.stderr
