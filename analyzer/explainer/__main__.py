"""python -m analyzer.explainer FILE: explains requests that an endpoint sends to its standard input.

FILE is JSON: `config`, a ClarifyExplainerConfig, and `baseline`, the text of the SHAP baseline. Messages are JSON, one
a line. The program prints `{"ready": true}` or `{"failure": message}`. For each request it prints `{"invoke": records}`
as often as it needs predictions and reads what the model responded. At last it prints `{"response": ...}` or
`{"error": message}`. It ends when its input does.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from analyzer import QualityError
from analyzer.explainer.config import ExplainerConfig
from analyzer.explainer.explainer import Explainer, ModelFailed, Payload


def main() -> int:
    settings = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    try:
        explainer = Explainer(ExplainerConfig.from_api(settings["config"]), settings["baseline"])
    except QualityError as error:
        _print({"failure": str(error)})
        return 1
    _print({"ready": True})
    for line in sys.stdin:
        _print(_respond(explainer, json.loads(line)))
    return 0


def _respond(explainer: Explainer, message: dict[str, Any]) -> dict[str, Any]:
    request, predictions = Payload(**message["request"]), Payload(**message["predictions"])
    try:
        return {"response": explainer.respond(request, predictions, _invoke, message["enable"])}
    except QualityError as error:
        return {"error": str(error)}
    except ModelFailed as error:
        return {"error": f"the model failed to predict synthetic records: {error}"}


def _invoke(records: str) -> Payload:
    _print({"invoke": records})
    answer = json.loads(sys.stdin.readline())
    if "error" in answer:
        raise ModelFailed(answer["error"])
    return Payload(**answer)


def _print(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


if __name__ == "__main__":
    sys.exit(main())
