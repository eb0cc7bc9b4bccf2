"""The MLflow server of an MLflow App or tracking server: a program that serves a listening socket it has inherited.

`mlflow server` would keep a second interpreter, of 260 MB, that only waits for the first one, and take twice as long to
start. So this program hands MLflow's application to uvicorn itself, with the variables that `mlflow server` sets.
"""

import argparse
import os
import socket


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend-store-uri", required=True)
    parser.add_argument("--default-artifact-root", required=True)
    parser.add_argument("--socket", type=int, required=True, help="The file descriptor of the listening socket.")
    arguments = parser.parse_args()
    listener = socket.socket(fileno=arguments.socket)
    address = "127.0.0.1", "localhost"
    port = listener.getsockname()[1]
    # read when MLflow is imported: a page of another site must not reach the server by a name of its own
    os.environ["MLFLOW_SERVER_ALLOWED_HOSTS"] = ",".join(f"{host}:{port}" for host in address)
    os.environ["MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"] = ",".join(f"http://{host}:{port}" for host in address)

    import uvicorn
    from mlflow.server import constants, handlers

    os.environ[constants.BACKEND_STORE_URI_ENV_VAR] = arguments.backend_store_uri
    os.environ[constants.ARTIFACT_ROOT_ENV_VAR] = arguments.default_artifact_root
    # creates or migrates the database
    handlers.initialize_backend_stores(arguments.backend_store_uri, None, arguments.default_artifact_root)
    config = uvicorn.Config("mlflow.server.fastapi_app:app", log_level="warning", timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
