"""Listings of a bucket, in S3's order."""

import heapq
import logging
import os
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from local_sagemaker.storage.object_keys import key_of

log = logging.getLogger(__name__)


class Listed(NamedTuple):
    """An entry of a listing: a key and its file, or a prefix that keys are rolled up into and no file."""

    entry: str
    file: os.DirEntry[str] | Path | None


class Listing:
    """One walk over a bucket's folders in the order of keys, without folders that cannot contain entries."""

    def __init__(self, root: Path, prefix: str, delimiter: str, after: str) -> None:
        self.root = root
        self.prefix = prefix
        self.delimiter = delimiter
        self.after = after

    def entries(self) -> Iterator[Listed]:
        last = None
        for listed in self._keys(self.root, ""):
            if self._rolls_up(listed.entry):
                listed = Listed(self._rolled_up(listed.entry), None)
            # the entry to begin after may be rolled up itself: its keys are not listed again
            if listed.entry not in (self.after, last):
                yield listed
                last = listed.entry

    def _keys(self, folder: Path | os.DirEntry[str], stem: str) -> Iterator[Listed]:
        """Yield the matching keys in a folder, whose keys all start with `stem`."""
        files: dict[str, os.DirEntry[str]] = {}
        folders: dict[str, os.DirEntry[str]] = {}
        odd = []
        after, prefix = self.after, self.prefix
        try:
            with os.scandir(folder) as children:
                for child in children:
                    name = child.name
                    if "%" in name or not name.isprintable():
                        if not child.is_symlink():
                            odd.append(Path(child))
                    elif child.is_file(follow_symlinks=False):
                        key = stem + name
                        if key > after and key.startswith(prefix):
                            files[key] = child
                    elif child.is_dir(follow_symlinks=False) and self._matters(below := f"{stem}{name}/"):
                        folders[below] = child
        except FileNotFoundError:
            return
        except PermissionError as error:
            log.error("%s; its objects are not listed", error)
            return
        plain = self._plain_keys(files, folders)
        # encoded names do not sort like their keys; they are few, so all of them are read, then merged
        by_entry = attrgetter("entry")
        yield from heapq.merge(plain, sorted(self._odd_keys(odd), key=by_entry), key=by_entry) if odd else plain

    def _plain_keys(self, files: dict[str, os.DirEntry[str]], folders: dict[str, os.DirEntry[str]]) -> Iterator[Listed]:
        for name in sorted([*files, *folders]):
            if name in files:
                yield Listed(name, files[name])
            elif not self._rolls_up(name):
                yield from self._keys(folders[name], name)
            elif (first := next(self._keys(folders[name], name), None)) is not None:
                yield first

    def _odd_keys(self, paths: list[Path]) -> Iterator[Listed]:
        for path in paths:
            files = [path] if path.is_file() else [Path(top, name) for top, _, names in os.walk(path) for name in names]
            for file in files:
                key = None if file.is_symlink() else key_of(file.relative_to(self.root).parts)
                if key is not None and key > self.after and key.startswith(self.prefix):
                    yield Listed(key, file)

    def _matters(self, stem: str) -> bool:
        """Return whether a folder whose keys start with `stem` may contain entries."""
        if not (stem.startswith(self.prefix) or self.prefix.startswith(stem)):
            return False
        if self._rolls_up(stem) and self._rolled_up(stem) == self.after:
            return False
        return stem > self.after or self.after.startswith(stem)

    def _rolls_up(self, text: str) -> bool:
        return bool(self.delimiter) and text.startswith(self.prefix) and self.delimiter in text[len(self.prefix) :]

    def _rolled_up(self, key: str) -> str:
        return key[: key.index(self.delimiter, len(self.prefix)) + len(self.delimiter)]
