import importlib.util
import io
import itertools
import json
import os
import signal
import socket
import sys
import tarfile
import threading
import time
import zipfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_sagemaker.containers.container import Command, Container
from local_sagemaker.containers.failure_message import failure_message
from local_sagemaker.containers.images.errors import UnsupportedImage
from local_sagemaker.containers.images.image import Image
from local_sagemaker.containers.images.images import Images
from local_sagemaker.containers.output import MAX_EVENT_BYTES, LogStream
from local_sagemaker.jobs import script_mode
from local_sagemaker.storage.transfers import (
    ClientFault,
    Input,
    copy_file,
    fetch,
    inside,
    put_archive,
    put_files,
    rewrite_archive,
    unpack,
)
from tests.local_sagemaker.machine import ANALYZER, SCIKIT_LEARN, Machine, tar_gz

IMPOSED = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ACCESS_KEY_ID": "local"}


@pytest.fixture
def container(tmp_path: Path) -> Iterator[Container]:
    made = make_container(tmp_path / "jobs" / "algo-1")
    yield made
    made.close(keep=False)


def make_container(folder: Path) -> Container:
    folder.parent.mkdir(parents=True, exist_ok=True)
    return Container(folder, "algo-1", LogStream(folder.with_name("log"), lambda line, now: None), IMPOSED)


def messages(container: Container) -> list[str]:
    lines = container.folder.with_name("log").read_text().splitlines()
    return [line.partition(" ")[2] for line in lines]


def python(code: str, *arguments: str, **environment: str) -> Command:
    return Command(["python", "-c", code, *arguments], environment)


# paths


@pytest.mark.parametrize(
    ("text", "rewritten"),
    [
        ("/opt/ml", "{root}"),
        ("/opt/ml/processing/input", "{root}/processing/input"),
        ("--path=/opt/ml/model,'/opt/ml/output'", "--path={root}/model,'{root}/output'"),
        ("file:///opt/ml/x", "file://{root}/x"),
        ("/mnt/opt/ml/x", "/mnt/opt/ml/x"),
        ("/opt/mlops/x", "/opt/mlops/x"),
        ("/opt/ml-data /opt/ml.old", "/opt/ml-data /opt/ml.old"),
    ],
)
def test_only_paths_of_the_container_are_rewritten(container: Container, text: str, rewritten: str) -> None:
    assert container.rewrite(text) == rewritten.format(root=container.root)


def test_scripts_with_paths_of_the_container_are_rewritten_in_any_encoding(
    container: Container,
) -> None:
    code = container.path("/opt/ml/code")
    code.mkdir()
    (code / "run.sh").write_bytes(b"cat /opt/ml/x  # \xff\xfe\n")
    (code / "data.csv").write_text("/opt/ml/x")
    container.rewrite_scripts("/opt/ml/code")
    assert (code / "run.sh").read_bytes() == f"cat {container.root}/x  # ".encode() + b"\xff\xfe\n"
    assert (code / "data.csv").read_text() == "/opt/ml/x"


def test_code_is_found_through_the_command_and_its_shell_scripts_and_in_archives(container: Container) -> None:
    files = {
        "start/run.sh": "cd /opt/ml/code\ntar -xzf sourcedir.tar.gz\npython main.py\n",
        "code/beside.py": "open('/opt/ml/x')",
        "data/script.py": "open('/opt/ml/x')",
    }
    for name, text in files.items():
        path = container.path(name)
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    content = tar_gz({"main.py": "open('/opt/ml/x')", "notes.txt": "/opt/ml/x"})
    for archive in ("sourcedir.tar.gz", "model.tar.gz"):
        container.path(f"code/{archive}").write_bytes(content)
    container.rewrite_code(["bash", "-c", "sh /opt/ml/start/run.sh"], ["/opt/ml/start", "/opt/ml/code", "/opt/ml/data"])
    rewritten = f"open('{container.root}/x')"
    assert container.path("code/beside.py").read_text() == rewritten
    assert container.path("data/script.py").read_text() == files["data/script.py"]
    with tarfile.open(container.path("code/sourcedir.tar.gz")) as tar:
        texts = {member.name: tar.extractfile(member).read().decode() for member in tar}  # type: ignore[union-attr]
    assert texts == {"main.py": rewritten, "notes.txt": "/opt/ml/x"}
    assert container.path("code/model.tar.gz").read_bytes() == content


@pytest.mark.parametrize("packed", [True, False])
def test_requirements_are_found_in_folders_and_archives(container: Container, packed: bool) -> None:
    for folder in ("start", "code", "data"):
        container.path(folder).mkdir()
    container.path("start/run.sh").write_text("cd /opt/ml/code; tar -xzf sourcedir.tar.gz; python main.py\n")
    container.path("data/requirements.txt").write_text("not-of-the-code\n")
    if packed:
        container.path("code/sourcedir.tar.gz").write_bytes(tar_gz({"requirements.txt": "numpy\n"}))
    else:
        container.path("code/requirements.txt").write_text("numpy\n")
    assert container.requirements() is None
    container.rewrite_code(["sh", "/opt/ml/start/run.sh"], ["/opt/ml/data", "/opt/ml/code", "/opt/ml/start"])
    found = container.requirements()
    assert found is not None and found.read_text() == "numpy\n"


def test_an_interpreter_that_does_not_start_is_named(container: Container) -> None:
    with pytest.raises(ClientFault, match="cannot start the interpreter /no/python"):
        container.use_python(["/no/python"])


def test_an_archive_that_is_not_readable_is_left_unchanged(tmp_path: Path) -> None:
    archive = tmp_path / "sourcedir.tar.gz"
    archive.write_bytes(b"no archive")
    rewrite_archive(archive, str.upper)
    assert [path.name for path in tmp_path.iterdir()] == ["sourcedir.tar.gz"]
    assert archive.read_bytes() == b"no archive"


@pytest.mark.parametrize("path", ["/etc/x", "/opt/ml/../x", "../x", "/opt/mlx/../../x"])
def test_a_path_outside_of_opt_ml_is_rejected(container: Container, path: str) -> None:
    with pytest.raises(ClientFault, match="leads out"):
        container.path(path)


@given(name=st.text(min_size=1))
def test_names_from_requests_cannot_escape_their_folder(name: str) -> None:
    folder = Path("/folder/of/job")
    try:
        path = inside(folder, name)
    except ClientFault:
        return
    assert Path(os.path.normpath(path)).is_relative_to(folder)


def test_a_script_works_in_a_folder_whose_name_has_a_space(tmp_path: Path) -> None:
    container = make_container(tmp_path / "my data" / "algo-1")
    script = container.path("run.sh")
    script.write_text("for name in a b; do echo $name > /opt/ml/$name.txt; done; cat /opt/ml/a.txt /opt/ml/b.txt\n")
    container.rewrite_scripts("/opt/ml")
    assert container.run([Command(["/bin/sh", "/opt/ml/run.sh"])]).code == 0
    assert messages(container) == ["a", "b"]
    assert (tmp_path / "my data" / "algo-1" / "a.txt").is_file()
    link = container.root
    container.close(keep=True)
    assert not link.exists()


# environment


def test_a_process_inherits_only_essential_variables_of_the_server(
    container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("SECRET", "1")
    container.run([python("import json, os; print(json.dumps(dict(os.environ)))", OWN="/opt/ml/x")])
    environment = json.loads(messages(container)[0])
    assert not {"AWS_PROFILE", "SECRET", "VIRTUAL_ENV"} & environment.keys()
    assert environment["OWN"] == f"{container.root}/x"
    assert environment["SAGEMAKER_BASE_DIR"] == str(container.root)


def test_a_job_cannot_override_the_variables_that_keep_it_off_aws(container: Container) -> None:
    code = "import os; print(os.environ['AWS_ENDPOINT_URL'], os.environ['AWS_ACCESS_KEY_ID'])"
    container.run([python(code, AWS_ENDPOINT_URL="https://sagemaker.amazonaws.com", AWS_ACCESS_KEY_ID="AKIA")])
    assert messages(container) == ["http://127.0.0.1:1 local"]


@pytest.mark.parametrize("name", ["python", "python3"])
def test_python_is_the_interpreter_that_runs_the_server(container: Container, name: str) -> None:
    container.run([Command([name, "-c", "import sys; print(sys.executable, sys.prefix)"])])
    assert messages(container) == [f"{sys.executable} {sys.prefix}"]


def test_installed_requirements_are_satisfied(container: Container) -> None:
    container.path("requirements.txt").write_text("packaging>=20\n")
    assert container.run([Command(["pip", "install", "-r", "requirements.txt"])]).code == 0


def test_a_package_that_the_job_provides_is_installed_for_this_job_only(container: Container) -> None:
    with zipfile.ZipFile(container.path("brought-1.0-py3-none-any.whl"), "w") as wheel:
        wheel.writestr("brought.py", "def main(): print('here')\n")
        information = {
            "METADATA": "Metadata-Version: 2.1\nName: brought\nVersion: 1.0\n",
            "WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            "entry_points.txt": "[console_scripts]\nbrought = brought:main\n",
            "RECORD": "",
        }
        for name, content in information.items():
            wheel.writestr(f"brought-1.0.dist-info/{name}", content)
    install = Command(["pip", "install", "--quiet", "/opt/ml/brought-1.0-py3-none-any.whl"])
    assert container.run([install, python("import brought"), Command(["brought"])]).code == 0, messages(container)
    assert messages(container) == ["here"]
    assert importlib.util.find_spec("brought") is None


def test_missing_requirements_fail_immediately_with_their_name(container: Container) -> None:
    last = container.run([Command(["pip", "install", "no-such-thing==1.2.3"])])
    assert last.code == 1
    assert "No matching distribution found for no-such-thing==1.2.3" in last.reason


def test_host_names_of_a_job_resolve_to_this_machine(container: Container) -> None:
    code = """
import socket
server = socket.create_server(("algo-2", 0))
client = socket.create_connection(("algo-2", server.getsockname()[1]), timeout=5)
plain = socket.socket()
plain.connect(("algo-17", server.getsockname()[1]))
print(socket.gethostbyname("algo-1"), socket.getaddrinfo(host="algo-3", port=80)[0][4][0], server.getsockname()[0])
"""
    assert container.run([python(code)]).code == 0, messages(container)
    assert messages(container) == ["127.0.0.1 127.0.0.1 127.0.0.1"]


# output


def test_output_is_logged_line_by_line_with_its_time(container: Container) -> None:
    seen = threading.Event()
    container._log._on_line = lambda line, now: seen.set()
    code = "import sys, time; sys.stderr.write('no end of line'); print('first'); time.sleep(60)"
    running = threading.Thread(target=container.run, args=([python(code)],))
    before = time.time()
    running.start()
    assert seen.wait(10)
    container.signal(signal.SIGTERM)
    running.join(5)
    moment = container.folder.with_name("log").read_text().partition(" ")[0]
    assert before - 0.001 <= datetime.fromisoformat(moment).timestamp() <= time.time()
    assert messages(container) == ["first", "no end of line"]


def test_output_printed_before_an_error_is_logged_before_it(container: Container) -> None:
    container.run([python("for n in range(50): print('line', n)\nraise ValueError('no')")])
    lines = messages(container)
    assert lines[:50] == [f"line {n}" for n in range(50)]
    assert lines[-1] == "ValueError: no"


def test_invalid_utf_8_and_endless_lines_are_logged(container: Container) -> None:
    size = MAX_EVENT_BYTES * 2 + 10
    code = f"import sys; sys.stdout.buffer.write(b'\\xff\\r\\n'); sys.stdout.write('x' * {size})"
    container.run([python(code)])
    first, *rest = messages(container)
    assert first == "\ufffd"
    assert "".join(rest) == "x" * size
    assert all(len(part) < MAX_EVENT_BYTES + (1 << 16) for part in rest)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["on it", "Traceback (most recent call last):", '  File "a.py", line 1', "ValueError: no"], "ValueError: no"),
        (
            ["Traceback (most recent call last):", "  x", "KeyError: 1", "", "During handling of it:", "",
             "Traceback (most recent call last):", "  y", "RuntimeError: two", "lines"],
            "RuntimeError: two\nlines",
        ),
        (["error: no target column", ""], "error: no target column"),
        ([], ""),
        ([str(n) for n in range(100)], "\n".join(str(n) for n in range(90, 100))),
    ],
)  # fmt: skip
def test_the_failure_message_is_the_exception_or_the_last_lines(lines: list[str], words: str) -> None:
    assert failure_message(lines) == words


def test_a_failure_has_the_exit_code_and_the_end_of_stderr(container: Container) -> None:
    last = container.run([python("import sys; print('fine'); sys.exit('the target is missing')")])
    assert (last.code, last.reason) == (1, "the target is missing")


def test_the_reason_of_a_killed_process_names_the_signal(container: Container) -> None:
    last = container.run([python("import os; print('epoch 3', flush=True); os.kill(os.getpid(), 9)")])
    assert last.code == 137
    assert last.reason == "killed by SIGKILL, as when memory runs out; last output: epoch 3"


def test_a_missing_command_has_exit_code_127(container: Container) -> None:
    last = container.run([Command(["no-such-program", "x"])])
    assert last.code == 127
    assert "no-such-program" in last.reason


def test_a_program_that_is_still_open_for_writing_is_started_when_it_is_closed(container: Container) -> None:
    program = container.path("program")
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    writing = program.open("a")
    threading.Timer(0.1, writing.close).start()
    assert container.run([Command(["/opt/ml/program"])]).code == 3


def test_the_first_command_that_fails_is_the_last_to_run(container: Container) -> None:
    last = container.run([python("print(1)"), python("import os; os._exit(3)"), python("print(2)")])
    assert last.code == 3
    assert messages(container) == ["1"]


# ending


def test_all_processes_end_with_the_first_one(container: Container) -> None:
    child = "import time; print('child', flush=True); time.sleep(60)"
    code = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {child!r}]); time.sleep(0.3)"
    started = time.monotonic()
    assert container.run([python(code)]).code == 0
    assert time.monotonic() - started < 10


def test_a_process_outside_the_group_that_holds_the_pipes_does_not_block_the_job(
    container: Container, tmp_path: Path
) -> None:
    pid_file = tmp_path / "escaped"
    child = f"import os, time; os.setsid(); open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    code = (
        f"import os, subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {child!r}])\n"
        f"while not os.path.exists({str(pid_file)!r}) or not open({str(pid_file)!r}).read(): time.sleep(0.01)\n"
        "print('done')"
    )
    started = time.monotonic()
    assert container.run([python(code)]).code == 0
    assert time.monotonic() - started < 10
    assert messages(container) == ["done"]
    os.kill(int(pid_file.read_text()), signal.SIGKILL)


def test_a_command_that_is_still_held_open_is_waited_for_and_not_sought_elsewhere_on_the_path(
    container: Container, tmp_path: Path
) -> None:
    other = tmp_path / "other" / "python"
    other.parent.mkdir()
    other.write_text("#!/bin/sh\necho other\n")
    other.chmod(0o755)
    held = (container._prefix / "bin" / "python").open("a")
    threading.Timer(0.2, held.close).start()
    assert container.run([python("print('own')", PATH=str(other.parent))]).code == 0
    assert messages(container) == ["own"]


def test_a_signal_reaches_all_processes_and_no_command_is_started_after_it(container: Container) -> None:
    running = threading.Thread(target=container.run, args=([Command(["sh", "-c", "sleep 60; echo no"])],))
    running.start()
    while container._process is None:
        time.sleep(0.01)
    container.signal(signal.SIGTERM)
    running.join(10)
    assert not running.is_alive()
    assert container.run([python("print('no')")]).code == 128 + signal.SIGTERM
    assert messages(container) == []


# inputs and outputs in S3


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def fetched(machine: Machine, uri: str, folder: Path, **more: Any) -> list[str]:
    fetch(machine.objects, Input("data", "/opt/ml/x", uri, **more), folder, 0, 1)
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("uri", "names"),
    [
        ("s3://bucket/data/train", ["train2/y.csv", "train.csv", "x.csv", "deep/z.csv"]),
        ("s3://bucket/data/train/", ["x.csv", "deep/z.csv"]),
        ("s3://bucket/data/train.csv", ["train.csv"]),
        ("s3://bucket/data/train/x", ["x.csv"]),
        ("s3://bucket", ["data/train.csv", "data/train/x.csv", "data/train/deep/z.csv", "data/train2/y.csv"]),
    ],
)
def test_a_prefix_matches_all_keys_that_begin_with_it(
    machine: Machine, tmp_path: Path, uri: str, names: list[str]
) -> None:
    for key in ("train.csv", "train/x.csv", "train/deep/z.csv", "train2/y.csv"):
        machine.put(f"s3://bucket/data/{key}", key)
    assert fetched(machine, uri, tmp_path / "in") == sorted(names)


@pytest.mark.parametrize("uri", ["s3://bucket/nothing", "s3://no-such-bucket/x"])
def test_a_prefix_without_objects_has_sagemakers_message(machine: Machine, tmp_path: Path, uri: str) -> None:
    with pytest.raises(ClientFault, match=f'No S3 objects found under S3 URL "{uri}"'):
        fetched(machine, uri, tmp_path / "in")


def test_an_invalid_uri_is_rejected(machine: Machine, tmp_path: Path) -> None:
    with pytest.raises(ClientFault, match=r"'data\.csv' is not an S3 URI"):
        fetched(machine, "data.csv", tmp_path / "in")


def test_a_manifest_lists_the_objects(machine: Machine, tmp_path: Path) -> None:
    for key in ("a.csv", "b/c.csv", "d.csv"):
        machine.put(f"s3://bucket/data/{key}", key)
    manifest = machine.put("s3://bucket/m.json", json.dumps([{"prefix": "s3://bucket/data/"}, "a.csv", "b/c.csv"]))
    assert fetched(machine, manifest, tmp_path / "in", data_type="ManifestFile") == ["a.csv", "b/c.csv"]


@pytest.mark.parametrize(
    "content",
    ["{", "[]", '["a"]', '[{"prefix": "s3://bucket/"}, "absent.csv"]', '[{"prefix": "s3://bucket/data/"}, "../a.csv"]'],
)
def test_an_invalid_manifest_is_rejected(machine: Machine, tmp_path: Path, content: str) -> None:
    machine.put("s3://bucket/a.csv", "a")
    manifest = machine.put("s3://bucket/m.json", content)
    with pytest.raises(ClientFault, match=r"m\.json|leads out"):
        fetched(machine, manifest, tmp_path / "in", data_type="ManifestFile")
    assert not (tmp_path / "a.csv").exists()


@pytest.mark.parametrize("hosts", [1, 2, 3, 7])
def test_sharding_gives_every_object_to_exactly_one_host(machine: Machine, tmp_path: Path, hosts: int) -> None:
    for number in range(5):
        machine.put(f"s3://bucket/data/{number}.csv", "")
    source = Input("data", "/opt/ml/x", "s3://bucket/data/", sharded=True)
    for host in range(hosts):
        fetch(machine.objects, source, tmp_path / f"host{host}", host, hosts)
    shares = [sorted(path.name for path in (tmp_path / f"host{host}").iterdir()) for host in range(hosts)]
    assert sorted(itertools.chain(*shares)) == [f"{number}.csv" for number in range(5)]
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_key_that_ends_in_a_slash_is_an_empty_folder(machine: Machine, tmp_path: Path) -> None:
    machine.put("s3://bucket/data/folder/", "")
    fetched(machine, "s3://bucket/data/", tmp_path / "in")
    assert (tmp_path / "in" / "folder").is_dir()


def test_copies_are_independent_of_the_original(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(3 << 20))
    before = source.read_bytes()
    copy_file(source, target)
    assert target.read_bytes() == before
    with target.open("r+b") as file:
        file.write(b"changed")
    assert source.read_bytes() == before


def test_outputs_are_stored_below_their_prefix_without_links_that_lead_out(machine: Machine, tmp_path: Path) -> None:
    folder, secret = tmp_path / "out", tmp_path / "secret"
    (folder / "deep").mkdir(parents=True)
    secret.write_text("secret")
    (folder / "deep" / "a.txt").write_text("a")
    (folder / "inner").symlink_to(folder / "deep" / "a.txt")
    (folder / "outer").symlink_to(secret)
    os.mkfifo(folder / "pipe")
    put_files(machine.objects, folder, "s3://bucket/out/")
    assert machine.keys("out") == ["out/deep/a.txt", "out/inner"]
    put_archive(machine.objects, [folder], "s3://bucket/model.tar.gz")
    assert machine.archive("s3://bucket/model.tar.gz") == {"deep/a.txt": "a", "inner": "a"}


def test_an_output_to_a_missing_bucket_is_reported(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").write_text("a")
    with pytest.raises(ClientFault, match="no-such-bucket"):
        put_files(machine.objects, tmp_path / "out", "s3://no-such-bucket/out")


def test_an_archive_of_several_hosts_has_the_first_hosts_file_for_each_name(machine: Machine, tmp_path: Path) -> None:
    for host, names in (("one", ["same", "a"]), ("two", ["same", "b"])):
        (tmp_path / host).mkdir()
        for name in names:
            (tmp_path / host / name).write_text(host)
    put_archive(machine.objects, [tmp_path / "one", tmp_path / "two"], "s3://bucket/model.tar.gz")
    assert machine.archive("s3://bucket/model.tar.gz") == {"a": "one", "b": "two", "same": "one"}


# archives


def test_an_archive_is_unpacked_with_its_folders_and_modes(tmp_path: Path) -> None:
    (tmp_path / "code.tar.gz").write_bytes(tar_gz({"train.py": "1", "deep/inner/x.txt": "2"}))
    unpack(tmp_path / "code.tar.gz", tmp_path / "code")
    assert (tmp_path / "code" / "deep" / "inner" / "x.txt").read_text() == "2"


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.size = kind, link, size
    return made


@pytest.mark.parametrize(
    "bad",
    [
        member("../evil"),
        member("a/../../evil"),
        member("/etc/evil"),
        member("link", tarfile.SYMTYPE, "/etc"),
        member("link", tarfile.SYMTYPE, "inside"),
        member("link", tarfile.LNKTYPE, "../../evil"),
        member("device", tarfile.CHRTYPE),
        member("pipe", tarfile.FIFOTYPE),
    ],
    ids=lambda made: f"{made.name}-{made.type.decode()}",
)
def test_an_archive_with_paths_outside_its_folder_is_rejected(tmp_path: Path, bad: tarfile.TarInfo) -> None:
    with tarfile.open(tmp_path / "bad.tar", "w") as tar:
        tar.addfile(bad)
    (tmp_path / "deep" / "code").mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ClientFault, match=r"leads out|neither a file nor a folder"):
        unpack(tmp_path / "bad.tar", tmp_path / "deep" / "code")
    assert sorted(tmp_path.rglob("*")) == before


def test_an_archive_that_unpacks_beyond_the_limit_is_rejected(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "bomb.tar.gz", "w:gz") as tar:
        tar.addfile(member("zeros", size=1 << 20), io.BytesIO(bytes(1 << 20)))
    with pytest.raises(ClientFault, match="more than 1000 bytes"):
        unpack(tmp_path / "bomb.tar.gz", tmp_path / "code", largest=1000)
    assert not (tmp_path / "code" / "zeros").exists()


@pytest.mark.parametrize(
    "content", [b"", b"not an archive", tar_gz({"a": "x" * 10_000})[:-20]], ids=["empty", "text", "truncated"]
)
def test_a_damaged_archive_is_rejected(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.tar.gz").write_bytes(content)
    with pytest.raises(ClientFault, match=r"bad\.tar\.gz cannot be unpacked"):
        unpack(tmp_path / "bad.tar.gz", tmp_path / "code")


# images and script mode


@pytest.mark.parametrize(
    "uri",
    [
        SCIKIT_LEARN,
        "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-scikit-learn:0.23-1-cpu-py3",
        "450853457545.dkr.ecr.cn-north-1.amazonaws.com.cn/sagemaker-scikit-learn@sha256:abc",
    ],
)
def test_the_scikit_learn_image_runs_for_any_region_and_version(uri: str) -> None:
    assert {Images().find(uri, kind).image for kind in ("training-job", "processing-job")} == {Image.SCIKIT_LEARN}


@pytest.mark.parametrize("uri", ["me/my-image:latest", f"{SCIKIT_LEARN}x/other", "", ANALYZER])
def test_an_unsupported_image_is_rejected_with_the_supported_ones(uri: str) -> None:
    with pytest.raises(UnsupportedImage) as error:
        Images().find(uri, "training-job")
    assert repr(uri) in str(error.value) and "sagemaker-scikit-learn" in str(error.value)


def test_hyperparameters_become_the_arguments_that_the_training_toolkit_builds() -> None:
    given_values = {
        "b": "1e-3",
        "name": "none",
        "list": "[1, 2]",
        "map": '{"y": 1, "x": 2}',
        "flag": "true",
        "nil": "null",
    }
    decoded = script_mode.decode({**given_values, "sagemaker_program": "train.py"})
    assert script_mode.arguments(decoded) == [
        "-b", "0.001", "--flag", "True", "--list", "[1, 2]", "--map", "x=2,y=1", "--name", "none", "--nil", "",
    ]  # fmt: skip


def test_the_variables_of_script_mode_equal_the_toolkits() -> None:
    hosts = ["algo-1", "algo-2"]
    resources = {
        "current_host": "algo-2",
        "current_instance_type": "ml.m5.xlarge",
        "hosts": hosts,
        "network_interface_name": "lo",
    }
    channels = {"train": {"TrainingInputMode": "File"}}
    variables = script_mode.environment(
        {"num_leaves": 31, "sagemaker_program": "train.py", "sagemaker_submit_directory": "s3://b/k"},
        resources,
        channels,
        "my-job",
    )
    assert variables["SM_MODEL_DIR"] == "/opt/ml/model"
    assert variables["SM_OUTPUT_DATA_DIR"] == "/opt/ml/output/data"
    assert variables["SM_CHANNEL_TRAIN"] == "/opt/ml/input/data/train"
    assert variables["SM_CHANNELS"] == '["train"]'
    assert variables["SM_HPS"] == '{"num_leaves":31}'
    assert variables["SM_HP_NUM_LEAVES"] == "31"
    assert variables["SM_USER_ARGS"] == '["--num_leaves","31"]'
    assert (variables["SM_HOSTS"], variables["SM_CURRENT_HOST"]) == ('["algo-1","algo-2"]', "algo-2")
    assert variables["SM_NUM_CPUS"] == str(max(1, (os.cpu_count() or 1) // 2))
    assert variables["SM_NUM_GPUS"] == "0"
    assert variables["SM_MODULE_NAME"] == "train"
    training_env = json.loads(variables["SM_TRAINING_ENV"])
    assert training_env["hyperparameters"] == {"num_leaves": 31}
    assert training_env["job_name"] == "my-job"
    assert training_env["is_master"] is False


def test_this_machine_has_no_host_named_algo_1() -> None:
    with pytest.raises(OSError):
        socket.gethostbyname("algo-1")
