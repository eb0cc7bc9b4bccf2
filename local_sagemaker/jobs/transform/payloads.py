"""An input object taken apart into the bodies of requests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from local_sagemaker.storage.transfers import ClientFault


def payloads(file: BinaryIO, split_type: str, strategy: str, largest: int) -> Iterator[bytes]:
    """The bodies of the requests for a file.

    They are the whole of it (SplitType None), a line each (Line, SingleRecord) or as many lines as `largest` bytes hold
    (Line, MultiRecord), without the last end of line. No more than one of them is held. Raises ClientFault where a
    record is larger than `largest` bytes.
    """
    if split_type == "None":
        whole = file.read(largest + 1)
        _check(whole, largest, "the file, which SplitType None sends as a whole,")
        yield whole
    elif strategy == "SingleRecord":
        yield from _lines(file, largest)
    else:
        yield from _batches(_lines(file, largest), largest)


def _lines(file: BinaryIO, largest: int) -> Iterator[bytes]:
    number = 0
    while line := file.readline(largest + 1):  # no more than shows that it is too long
        number += 1
        record = line.removesuffix(b"\n")
        _check(record, largest, f"record {number}")
        yield record


def _batches(records: Iterator[bytes], largest: int) -> Iterator[bytes]:
    batch: list[bytes] = []
    size = 0
    for record in records:
        if batch and size + 1 + len(record) > largest:
            yield b"\n".join(batch)
            batch, size = [], 0
        size += len(record) + (1 if batch else 0)
        batch.append(record)
    if batch:
        yield b"\n".join(batch)


def _check(payload: bytes, largest: int, what: str) -> None:
    if len(payload) > largest:
        raise ClientFault(f"{what} is larger than MaxPayloadInMB ({largest >> 20} MB)")
