"""Listings of a bucket, in S3's order."""

import heapq
import logging
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from local_sagemaker.storage.object_keys import key_of

log = logging.getLogger(__name__)


class Listing:
    """One walk over a bucket's folders in the order of keys, without folders that cannot contain entries."""

    def __init__(self, root: Path, prefix: str, delimiter: str, after: str) -> None:
        self.root = root
        self.prefix = prefix
        self.delimiter = delimiter
        self.after = after

    def entries(self) -> Iterator[str]:
        last = None
        for key in self._keys(self.root, ""):
            entry = self._entry(key)
            # the entry to begin after may be rolled up itself: its keys are not listed again
            if key > self.after and entry != self.after and entry != last:
                yield entry
                last = entry

    def _keys(self, folder: Path, stem: str) -> Iterator[str]:
        """Yield the matching keys in a folder, whose keys all start with `stem`."""
        files, folders, odd = set(), {}, []
        try:
            with os.scandir(folder) as children:
                for child in children:
                    if child.is_symlink():
                        continue
                    if "%" in child.name or not child.name.isprintable():
                        odd.append(child.path)
                    elif child.is_dir():
                        folders[stem + child.name + "/"] = Path(child.path)
                    else:
                        files.add(stem + child.name)
        except FileNotFoundError:
            return
        except PermissionError as error:
            log.error("%s; its objects are not listed", error)
            return
        # encoded names do not sort like their keys; they are few, so all of them are read, then merged
        odd_keys = sorted(key for path in odd for key in self._odd_keys(Path(path)))
        yield from heapq.merge(self._plain_keys(files, folders), odd_keys)

    def _plain_keys(self, files: set[str], folders: dict[str, Path]) -> Iterator[str]:
        for name in sorted([*files, *folders]):
            if name in files:
                if name.startswith(self.prefix):
                    yield name
            elif self._matters(name):
                keys = self._keys(folders[name], name)
                yield from islice((key for key in keys if key > self.after), 1) if self._rolls_up(name) else keys

    def _odd_keys(self, path: Path) -> Iterator[str]:
        files = [path] if path.is_file() else [Path(top, name) for top, _, names in os.walk(path) for name in names]
        for file in files:
            key = None if file.is_symlink() else key_of(file.relative_to(self.root).parts)
            if key is not None and key.startswith(self.prefix):
                yield key

    def _matters(self, stem: str) -> bool:
        if not (stem.startswith(self.prefix) or self.prefix.startswith(stem)):
            return False
        if self._rolls_up(stem) and self._entry(stem) == self.after:
            return False
        return stem > self.after or self.after.startswith(stem)

    def _rolls_up(self, text: str) -> bool:
        return bool(self.delimiter) and text.startswith(self.prefix) and self.delimiter in text[len(self.prefix) :]

    def _entry(self, key: str) -> str:
        if not self._rolls_up(key):
            return key
        return key[: key.index(self.delimiter, len(self.prefix)) + len(self.delimiter)]
