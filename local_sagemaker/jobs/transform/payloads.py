"""Splits an input object into the payloads of requests (SplitType, BatchStrategy, MaxPayloadInMB)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from local_sagemaker.storage.transfers import ClientFault


def payloads(file: BinaryIO, split_type: str, strategy: str, largest: int) -> Iterator[bytes]:
    """Yield the payloads of a file, without their last newline.

    A payload is the whole file (SplitType None), one line (Line with SingleRecord), or as many lines as fit (Line with
    MultiRecord). Only one payload is in memory at a time.

    Args:
        file: The input object.
        split_type: None or Line.
        strategy: SingleRecord or MultiRecord.
        largest: Maximum size of a payload in bytes.

    Raises:
        ClientFault: A record is larger than that.
    """
    if split_type == "None":
        whole = file.read(largest + 1)
        _check(whole, largest, "the file, which SplitType None sends in one request,")
        yield whole
    elif strategy == "SingleRecord":
        yield from _lines(file, largest)
    else:
        yield from _batches(_lines(file, largest), largest)


def _lines(file: BinaryIO, largest: int) -> Iterator[bytes]:
    number = 0
    # one byte more than allowed is enough to detect a line that is too long
    while line := file.readline(largest + 1):
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


def _check(payload: bytes, largest: int, name: str) -> None:
    if len(payload) > largest:
        raise ClientFault(f"{name} is larger than MaxPayloadInMB ({largest >> 20} MB)")
