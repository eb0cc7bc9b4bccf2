"""Prefect: the four steps as tasks, with a process per task. Usage: chain_prefect.py FOLDER."""

import sys

import chain
from prefect import flow, task
from prefect.task_runners import ProcessPoolTaskRunner

preprocess, train, evaluate, register = (task(step) for step in chain.STEPS.values())


# As many processes as steps, so that each step gets a new process.
@flow(task_runner=ProcessPoolTaskRunner(max_workers=4))
def run(folder: str) -> None:
    done = preprocess.submit(folder)
    for following in (train, evaluate, register):
        done = following.submit(folder, wait_for=[done])
    done.result()


if __name__ == "__main__":
    run(sys.argv[1])
