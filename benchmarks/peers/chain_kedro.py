"""Kedro: the four steps as nodes, in one process with the sequential runner. Usage: chain_kedro.py FOLDER."""

import sys

import chain
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import node, pipeline
from kedro.runner import SequentialRunner


def nodes():
    before = "folder"
    for name, step in chain.STEPS.items():

        def run(folder, step=step):
            step(folder)
            return folder

        yield node(run, before, f"after_{name}", name=name)
        before = f"after_{name}"


SequentialRunner().run(pipeline(list(nodes())), DataCatalog({"folder": MemoryDataset(sys.argv[1])}))
