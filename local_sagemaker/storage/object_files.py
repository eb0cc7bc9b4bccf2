"""The files of objects below the folder of their bucket: where they are, and how they get there and away."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

from local_sagemaker.storage.files import flush_folder
from local_sagemaker.storage.object_keys import BadName, beside_folder, places, plain_path


def files_of(root: Path, key: str) -> Iterator[Path]:
    """Yield the files that hold a key's bytes, the current one first; more than one only after a crash."""
    for parts in places(key):
        path = root.joinpath(*parts)
        if path.is_file() and os.path.realpath(path) == str(path):
            yield path


def rename_to_place(root: Path, key: str, temporary: Path) -> set[Path]:
    """Rename a temporary file to the file of a key; return the folders that have changed.

    Raises:
        BadName: S3 does not allow the key, or it leads through a symbolic link.
        OSError: The disk refuses it; the old file is unchanged.
    """
    parts = plain_path(key)
    plain, changed = root.joinpath(*parts), set()
    for depth in range(1, len(parts)):
        folder = root.joinpath(*parts[:depth])
        # an object in place of a folder moves beside it
        if folder.is_file() and not folder.is_symlink():
            folder.replace(beside_folder(folder))
        if not os.path.lexists(folder):
            folder.mkdir()
            changed.add(folder.parent)
    if os.path.realpath(plain.parent) != str(plain.parent):
        raise BadName(f"the key {key!r} leads through a symbolic link below {root}; remove the link")
    target = beside_folder(plain) if plain.is_dir() and not plain.is_symlink() else plain
    temporary.replace(target)
    for path in list(files_of(root, key)):
        if path != target:
            path.unlink()
            changed.add(path.parent)
    return changed | {target.parent}


def unlink_files(root: Path, key: str) -> set[Path]:
    """Remove the files of a key, the current one last, and folders that are then empty; return the folders changed."""
    changed = set()
    for path in reversed(list(files_of(root, key))):
        path.unlink(missing_ok=True)
        folder = path.parent
        while folder != root and _removed_if_empty(folder):
            folder = folder.parent
        changed.add(folder)
    return changed


def flush_folders(folders: set[Path]) -> None:
    """Flush the changes in folders to the disk; of one that another thread has removed since, its removal."""
    for folder in folders:
        while True:
            try:
                flush_folder(folder)
                break
            except FileNotFoundError:
                folder = folder.parent


def _removed_if_empty(folder: Path) -> bool:
    try:
        folder.rmdir()
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        return False
    return True
