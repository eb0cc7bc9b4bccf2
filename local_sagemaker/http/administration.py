"""The server's own requests: its status, and monitoring executions run on demand."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from werkzeug.wrappers import Request, Response

from local_sagemaker.http.background import RUN_NOW_PATH, STATUS_PATH
from local_sagemaker.model_monitor.scheduler import MonitoringScheduler
from local_sagemaker.protocol import aws_json
from local_sagemaker.protocol.bodies import json_structure, read_body
from local_sagemaker.protocol.errors import ServiceError

PATHS = (STATUS_PATH, RUN_NOW_PATH)


class Administration:
    """Answers requests to `PATHS`. status: Gives the members of the status page."""

    def __init__(self, status: Callable[[], dict[str, Any]], scheduler: MonitoringScheduler) -> None:
        self._status = status
        self._scheduler = scheduler

    def respond(self, request: Request) -> Response:
        if request.path == STATUS_PATH:
            return Response(json.dumps(self._status()), content_type="application/json")
        return aws_json.write_response(self._run_now(request))

    def _run_now(self, request: Request) -> dict[str, Any]:
        """Run a monitoring execution; its summary. See `python -m local_sagemaker run-now`."""
        if request.method != "POST":
            raise ServiceError("ValidationException", "use POST to run a monitoring execution")
        body = json_structure(read_body(request))
        try:
            start, end = (_utc(body[edge]) if body.get(edge) else None for edge in ("Start", "End"))
            name = str(body["MonitoringScheduleName"])
        except (KeyError, ValueError, TypeError) as error:
            raise ServiceError("ValidationException", f"the schedule or the window is invalid: {error!r}") from error
        return self._scheduler.run_now(name, start, end)


def _utc(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
