"""The container of a hosted model: startup, responses, and how it ends."""

from __future__ import annotations

import http.client
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from local_sagemaker.containers.model_server import ModelServer, ModelServerError, ServerResponse
from local_sagemaker.containers.output import LogStream
from tests.local_sagemaker.machine import SCIKIT_LEARN, Machine, Record, tar_gz

ECHO = """
import json, os
def model_fn(model_dir):
    return open(os.path.join(model_dir, "model.txt")).read()
def input_fn(body, content_type):
    return [type(body).__name__, content_type, len(body)]
def predict_fn(data, model):
    return {"model": model, "input": data, "pid": os.getpid()}
def output_fn(prediction, accept):
    return json.dumps({**prediction, "accept": accept}), accept
"""
INFERENCE = Path(__file__).parents[3] / "inference"
MODEL_FN = "def model_fn(model_dir): pass"
JSON = {"Content-Type": "application/json"}

MakeServer = Callable[..., ModelServer]


@pytest.fixture
def make_server(machine: Machine) -> Iterator[MakeServer]:
    made: list[ModelServer] = []

    def make(program: str = ECHO, files: Mapping[str, str] | None = None, **environment: str) -> ModelServer:
        content = {"model.txt": "m", "code/inference.py": program, **(files or {})}
        return make_of({"ModelDataUrl": put(machine, content), "Environment": environment})

    def make_of(container: Record) -> ModelServer:
        number = len(made)
        log = LogStream(machine.data_dir / "logs" / "model" / f"{number}.log", lambda line, now: None)
        server = ModelServer(
            {"Image": SCIKIT_LEARN, **container},
            machine.data_dir / "endpoints" / str(number),
            machine.objects,
            {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"},
            log,
        )
        made.append(server)
        return server

    make.of = make_of  # type: ignore[attr-defined]
    yield make
    for server in made:
        server.close()


def put(machine: Machine, files: Mapping[str, str], uri: str = "s3://bucket/model.tar.gz") -> str:
    return machine.put(uri, tar_gz(files))


def started(server: ModelServer) -> ModelServer:
    server.start(20)
    return server


def answer(server: ModelServer, body: bytes = b"[1]", headers: Mapping[str, str] = JSON) -> ServerResponse:
    return server.invoke(body, headers, 10)


def answered(server: ModelServer, body: bytes = b"[1]", headers: Mapping[str, str] = JSON) -> Record:
    response = answer(server, body, headers)
    assert response.status == 200, response.body
    return json.loads(response.body)


def log(machine: Machine) -> str:
    return "".join(file.read_text() for file in (machine.data_dir / "logs" / "model").glob("*.log"))


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_model_responds_through_its_four_functions(make_server: MakeServer) -> None:
    server = started(make_server())
    response = answer(server, b"[1, 2]", {**JSON, "Accept": "application/x-own"})
    assert response.headers["content-type"] == "application/x-own"
    assert json.loads(response.body) | {"pid": 0} == {
        "model": "m",
        "input": ["str", "application/json", 6],
        "pid": 0,
        "accept": "application/x-own",
    }


@pytest.mark.parametrize("accept", [{}, {"Accept": "*/*"}])
def test_a_request_without_accept_gets_the_default_type(make_server: MakeServer, accept: dict[str, str]) -> None:
    server = started(make_server(SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT="text/csv"))
    assert answered(server, headers={**JSON, **accept})["accept"] == "text/csv"


def test_a_body_that_is_not_text_reaches_the_model_as_bytes(make_server: MakeServer) -> None:
    server = started(make_server())
    assert answered(server, b"\xff\x00", {"Content-Type": "application/x-npy"})["input"][0] == "bytes"
    assert answered(server, b"\xff\x00", {})["input"][:2] == ["bytes", None]


def test_invalid_utf_8_in_text_is_replaced(make_server: MakeServer) -> None:
    server = started(make_server(f"{MODEL_FN}\ndef transform_fn(m, body, c, a): return body"))
    assert answer(server, b"caf\xe9", {"Content-Type": "text/csv"}).body.decode() == "caf\ufffd"


def test_transform_fn_replaces_three_functions_and_sees_the_request(make_server: MakeServer) -> None:
    program = """
def model_fn(model_dir, context):
    return context.system_properties["model_dir"]
def transform_fn(model, body, content_type, accept, context):
    attributes = context.get_request_header(0, "X-Amzn-SageMaker-Custom-Attributes")
    context.set_response_header(0, "X-Amzn-SageMaker-Custom-Attributes", attributes + " seen")
    return body.upper()
"""
    server = started(make_server(program))
    headers = {"Content-Type": "text/csv", "X-Amzn-SageMaker-Custom-Attributes": "trace=1"}
    response = answer(server, b"a,b", headers)
    assert (response.body, response.headers["content-type"]) == (b"A,B", "application/json")
    assert response.headers["x-amzn-sagemaker-custom-attributes"] == "trace=1 seen"
    assert "x-amzn-sagemaker-custom-attributes" not in answer(started(make_server())).headers


def test_missing_functions_default_to_the_images(make_server: MakeServer) -> None:
    program = """
class Model:
    def predict(self, rows):
        return rows.sum(axis=1)
def model_fn(model_dir):
    return Model()
"""
    server = started(make_server(program))
    assert answered(server, b"[[1, 2], [3, 4]]") == [3, 7]
    assert answered(server, b"[1, 2]") == [3]
    assert answer(server, b"1,2\n3,4\n", {"Content-Type": "text/csv", "Accept": "text/csv"}).body == b"3.0\n7.0\n"
    assert answer(server, b"", {"Content-Type": "image/png"}).status == 415
    assert answer(server, b"[1]", {**JSON, "Accept": "image/png"}).status == 406


def test_an_error_has_its_own_client_status_or_else_500(make_server: MakeServer, machine: Machine) -> None:
    program = """
class Refused(Exception):
    def __init__(self, status_code, message):
        self.status_code, self.message = status_code, message
def model_fn(model_dir): pass
def transform_fn(model, body, content_type, accept):
    if body == "teapot":
        raise Refused(418, "row 1: no tea")
    if body == "odd":
        raise Refused(200, "not an error")
    raise ValueError("secret")
"""
    server = started(make_server(program))
    refused = answer(server, b"teapot", {"Content-Type": "text/csv"})
    assert (refused.status, refused.body.splitlines()[0]) == (418, b"row 1: no tea")
    assert answer(server, b"odd", {"Content-Type": "text/csv"}).status == 500
    failed = answer(server, b"x", {"Content-Type": "text/csv"})
    assert (failed.status, failed.body.splitlines()[0]) == (500, b"secret")
    wait_until(lambda: "ValueError: secret" in log(machine))  # the response may arrive before the output
    assert "no tea" not in log(machine)
    assert server.alive


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("import not_there", "ModuleNotFoundError: No module named 'not_there'"),
        ("def model_fn(model_dir): raise ValueError('no model here')", "ValueError: no model here"),
        (
            "class Model:\n def __del__(self): self.handle\n"
            "def model_fn(model_dir):\n model = Model()\n raise ValueError('no weights')",
            "^ValueError: no weights$",
        ),
        ("x = 1", "NotImplementedError: Please provide a model_fn implementation."),
        (
            "def model_fn(d): pass\ndef transform_fn(m, b, c, a): pass\ndef input_fn(b, c): pass",
            "Cannot use transform_fn",
        ),
        ("def model_fn(): pass", "TypeError: model_fn takes 0 arguments but 1 were given."),
        ("import os\nos._exit(3)", "exit code 3"),
    ],
)
def test_a_model_that_fails_to_load_is_reported_immediately(make_server: MakeServer, program: str, reason: str) -> None:
    server = make_server(program)
    begun = time.monotonic()
    with pytest.raises(ModelServerError, match=reason):
        server.start(20)
    assert time.monotonic() - begun < 10
    assert not server.alive


def test_a_model_that_takes_too_long_to_load_times_out(make_server: MakeServer) -> None:
    server = make_server("import time\ntime.sleep(60)")
    with pytest.raises(ModelServerError, match="in time"):
        server.start(0.3)
    server.close()
    assert not server.alive


def test_missing_files_and_settings_are_named(make_server: MakeServer, machine: Machine) -> None:
    def why(container: Record) -> str:
        with pytest.raises(ModelServerError) as raised:
            make_server.of(container).start(5)  # type: ignore[attr-defined]
        return str(raised.value)

    model = {"ModelDataUrl": put(machine, {"code/inference.py": ECHO})}
    assert "pytorch" in why({"Image": "1.dkr.ecr.us-east-1.amazonaws.com/pytorch-inference:2"})
    assert "s3://bucket/not.tar.gz" in why({"ModelDataUrl": "s3://bucket/not.tar.gz"})
    assert "'other.py'" in why({**model, "Environment": {"SAGEMAKER_PROGRAM": "other.py"}})
    assert "'many'" in why({**model, "Environment": {"SAGEMAKER_MODEL_SERVER_WORKERS": "many"}})
    assert "leads out" in why({**model, "Environment": {"SAGEMAKER_SUBMIT_DIRECTORY": "/etc"}})
    needs = put(machine, {"code/inference.py": ECHO, "code/requirements.txt": "not-installed-anywhere==1"})
    assert "not-installed-anywhere" in why({"ModelDataUrl": needs})


def test_installed_requirements_are_satisfied(make_server: MakeServer) -> None:
    assert answered(started(make_server(files={"code/requirements.txt": "packaging>=20\n"})))["model"] == "m"


class ToolkitContext:
    """The model server's context, as far as the toolkit's transformer uses it."""

    def __init__(self, model_dir: Path, headers: Mapping[str, str]) -> None:
        self.system_properties = {"model_dir": str(model_dir)}
        self.request_processor = [self]
        self.status, self.content_type = 200, ""
        self._headers = headers

    def get_request_properties(self) -> Mapping[str, str]:
        return self._headers

    def set_response_status(self, code: int, phrase: str) -> None:
        self.status = code

    def set_response_content_type(self, index: int, content_type: str) -> None:
        self.content_type = content_type


def test_responses_equal_those_of_sagemakers_inference_toolkit(
    make_server: MakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sagemaker_inference.transformer import Transformer

    program = """
from sagemaker_inference.errors import GenericInferenceToolkitError
def model_fn(model_dir):
    return "model"
def input_fn(body, content_type):
    if content_type == "text/odd":
        raise GenericInferenceToolkitError(422, "no such content type")
    return repr((body, content_type))
def predict_fn(data, model, context):
    return data + model + str(1 / (len(data) - 19))
def output_fn(prediction, accept):
    return (prediction, "text/chosen") if accept == "text/own" else prediction
"""
    server = started(make_server(program, SAGEMAKER_PROGRAM="inference.py"))
    (tmp_path / "program_for_toolkit.py").write_text(program)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("SAGEMAKER_PROGRAM", "program_for_toolkit.py")
    toolkit = Transformer()
    for headers in (
        JSON,
        {"Content-Type": "text/csv", "Accept": "text/own"},
        {"Content-Type": "text/csv", "Accept": "*/*"},
        {"Content-Type": "text/odd", "Accept": "application/json"},
    ):
        for body in (b"", b"1,2", b"1,2,3"):
            context = ToolkitContext(tmp_path, headers)
            [expected] = toolkit.transform([{"body": body}], context)
            answered = answer(server, body, headers)
            assert answered.status == context.status
            if answered.status == 200:
                assert (answered.body.decode(), answered.headers["content-type"]) == (expected, context.content_type)
            elif answered.status < 500:  # without the traceback
                assert answered.body.decode() == expected.partition("\n")[0]
            else:  # the tracebacks in between differ in file names
                lines, wanted = answered.body.decode().splitlines(), expected.splitlines()
                assert (lines[0], lines[-1]) == (wanted[0], wanted[-1])


def test_a_program_named_like_the_servers_own_module_is_found_with_its_modules(make_server: MakeServer) -> None:
    program = "import helper\ndef model_fn(d): return helper.WORD\ndef transform_fn(m, b, c, a): return m"
    files = {"code/serve.py": program, "code/helper.py": "WORD = 'found'"}
    assert answer(started(make_server(files=files, SAGEMAKER_PROGRAM="serve.py"))).body == b"found"


def test_code_can_be_in_a_separate_archive(make_server: MakeServer, machine: Machine) -> None:
    source = put(machine, {"main.py": ECHO}, "s3://bucket/code/sourcedir.tar.gz")
    model = put(machine, {"model.txt": "apart"})
    variables = {"SAGEMAKER_PROGRAM": "main.py", "SAGEMAKER_SUBMIT_DIRECTORY": source}
    server = make_server.of({"ModelDataUrl": model, "Environment": variables})  # type: ignore[attr-defined]
    assert answered(started(server))["model"] == "apart"


@pytest.mark.parametrize("kind", ["prefix", "archive"])
def test_a_model_can_be_a_model_data_source(make_server: MakeServer, machine: Machine, kind: str) -> None:
    if kind == "prefix":
        machine.put("s3://bucket/plain/model.txt", "plain")
        machine.put("s3://bucket/plain/code/inference.py", ECHO)
        source = {"S3Uri": "s3://bucket/plain/", "S3DataType": "S3Prefix", "CompressionType": "None"}
    else:
        uri = put(machine, {"model.txt": "plain", "code/inference.py": ECHO})
        source = {"S3Uri": uri, "S3DataType": "S3Object", "CompressionType": "Gzip"}
    server = make_server.of({"ModelDataSource": {"S3DataSource": source}})  # type: ignore[attr-defined]
    assert answered(started(server))["model"] == "plain"


def test_paths_below_opt_ml_are_mapped_to_the_containers_folder(make_server: MakeServer) -> None:
    program = ECHO.replace('os.path.join(model_dir, "model.txt")', '"/opt/ml/model/model.txt"')
    assert program != ECHO
    assert answered(started(make_server(program)))["model"] == "m"


def test_requests_are_queued_unless_there_are_more_workers(make_server: MakeServer) -> None:
    slow = ECHO.replace("return {", "import time; time.sleep(0.2); return {")

    def pids(server: ModelServer) -> tuple[set[int], float]:
        begun = time.monotonic()
        with ThreadPoolExecutor(4) as pool:
            found = {done["pid"] for done in pool.map(lambda _: answered(server), range(4))}
        return found, time.monotonic() - begun

    one, alone = pids(started(make_server(slow)))
    four, together = pids(started(make_server(slow, SAGEMAKER_MODEL_SERVER_WORKERS="4")))
    assert (len(one), len(four)) == (1, 4)
    assert alone >= 0.8 > together


def test_no_other_client_on_this_machine_is_served(make_server: MakeServer) -> None:
    server = started(make_server(SAGEMAKER_MODEL_SERVER_WORKERS="2"))
    worker = psutil.Process(answered(server)["pid"])
    [port] = {one.laddr.port for one in worker.net_connections() if one.status == psutil.CONN_LISTEN}
    other = http.client.HTTPConnection("127.0.0.1", port, timeout=0.3)
    other.request("POST", "/invocations", b"[1]", JSON)
    with pytest.raises(TimeoutError):
        other.getresponse()
    other.close()
    assert answer(server).status == 200


def test_a_killed_process_fails_its_requests_and_later_ones(make_server: MakeServer) -> None:
    server = started(make_server(ECHO.replace("return {", "import time; time.sleep(5 * bool(data[2] > 3)); return {")))
    pid = answered(server)["pid"]
    threading.Timer(0.2, os.kill, (pid, signal.SIGKILL)).start()
    with pytest.raises(ModelServerError, match="killed by SIGKILL"):
        answer(server, b"[1, 2]")
    assert not server.alive
    with pytest.raises(ModelServerError, match="killed by SIGKILL"):
        answer(server)


def test_queued_requests_fail_immediately_when_the_container_ends(make_server: MakeServer) -> None:
    server = started(make_server(f"import time\n{MODEL_FN}\ndef transform_fn(m, b, c, a): time.sleep(60)"))
    with ThreadPoolExecutor(3) as pool:
        begun = time.monotonic()
        waiting = [pool.submit(answer, server) for _ in range(3)]
        time.sleep(0.1)
        server.close()
        for one in waiting:
            with pytest.raises(ModelServerError):
                one.result()
    assert time.monotonic() - begun < 5


def test_a_worker_that_dies_ends_the_container(make_server: MakeServer) -> None:
    server = started(make_server(SAGEMAKER_MODEL_SERVER_WORKERS="2"))
    os.kill(answered(server)["pid"], signal.SIGKILL)
    wait_until(lambda: not server.alive)


def test_a_response_that_times_out_ends_the_container(make_server: MakeServer) -> None:
    server = started(make_server(f"import time\n{MODEL_FN}\ndef transform_fn(m, b, c, a): time.sleep(60)"))
    with pytest.raises(TimeoutError, match=r"0\.2 s"):
        server.invoke(b"", JSON, 0.2)
    with pytest.raises(ModelServerError):
        answer(server)


def test_a_closed_server_leaves_no_processes_or_files(make_server: MakeServer, machine: Machine) -> None:
    server = started(make_server())
    pid = answered(server)["pid"]
    server.close()
    assert not server.alive
    assert not list((machine.data_dir / "endpoints").iterdir())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_the_projects_inference_program_serves(make_server: MakeServer) -> None:
    """The model has two leaves; most of the time is spent loading LightGBM."""
    import lightgbm as lgb
    import numpy as np

    rows = np.arange(100.0).reshape(-1, 1)
    booster = lgb.train(
        {"objective": "binary", "verbose": -1, "num_threads": 1, "min_data_in_leaf": 1},
        lgb.Dataset(rows, label=rows[:, 0] > 50),
        num_boost_round=2,
    )
    schema = {"problem_type": "BinaryClassification", "features": [{"name": "x", "type": "number"}], "classes": [0, 1]}
    code = {f"code/{path.name}": path.read_text() for path in INFERENCE.glob("*.py")}
    files = {"model.txt": booster.model_to_string(), "schema.json": json.dumps(schema), **code}
    server = started(make_server(files=files))
    low, high = answered(server, b'[{"x": 1}, {"x": 99}]')["predictions"]
    assert low["probability"] < 0.5 < high["probability"]
    refused = answer(server, b'{"y": 1}')
    assert refused.status == 400
    assert refused.body.startswith(b"row 1: the model has no feature 'y'")
    for headers, body in ((JSON, b'[{"x": "caf\xe9"}]'), ({"Content-Type": "text/csv"}, b"x\ncaf\xe9\n")):
        refused = answer(server, body, headers)
        assert (refused.status, refused.body.partition(b":")[0]) == (400, b"the body is not UTF-8")


def test_a_dictionary_of_output_fn_is_responded_as_json(make_server: MakeServer) -> None:
    functions = (
        "def predict_fn(data, model): return 1\ndef output_fn(prediction, accept): return {'Output': prediction}"
    )
    program = f"{MODEL_FN}\n{functions}"
    server = started(make_server(program, SAGEMAKER_PROGRAM="inference.py"))
    response = server.invoke(b"[1]", JSON, 30)
    assert (json.loads(response.body), response.headers["content-type"]) == ({"Output": 1}, "application/json")
