"""Metaflow: the four steps as a flow, with a process per step. Usage: chain_metaflow.py run --folder FOLDER."""

import chain
from metaflow import FlowSpec, Parameter, step


class Chain(FlowSpec):
    folder = Parameter("folder")

    @step
    def start(self):
        chain.preprocess(self.folder)
        self.next(self.train)

    @step
    def train(self):
        chain.train(self.folder)
        self.next(self.evaluate)

    @step
    def evaluate(self):
        chain.evaluate(self.folder)
        self.next(self.end)

    @step
    def end(self):
        chain.register(self.folder)


if __name__ == "__main__":
    Chain()
