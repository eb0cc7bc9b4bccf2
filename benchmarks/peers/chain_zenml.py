"""ZenML: the four steps as a pipeline with the local orchestrator, in one process. Usage: chain_zenml.py FOLDER."""

import sys

import chain
from zenml import pipeline, step


@step(enable_cache=False)
def preprocess(folder: str) -> str:
    chain.preprocess(folder)
    return folder


@step(enable_cache=False)
def train(folder: str) -> str:
    chain.train(folder)
    return folder


@step(enable_cache=False)
def evaluate(folder: str) -> str:
    chain.evaluate(folder)
    return folder


@step(enable_cache=False)
def register(folder: str) -> None:
    chain.register(folder)


@pipeline(enable_cache=False)
def run(folder: str) -> None:
    register(evaluate(train(preprocess(folder))))


if __name__ == "__main__":
    run(sys.argv[1])
