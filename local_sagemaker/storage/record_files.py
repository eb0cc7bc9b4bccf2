"""Import of the records of earlier versions, which kept each in a file, `records/<kind>/<quoted name>.json`."""

import json
import logging
from contextlib import suppress
from pathlib import Path
from typing import Any

from local_sagemaker.storage.database import Database
from local_sagemaker.storage.record_query import insert

log = logging.getLogger(__name__)


def import_records(folder: Path, database: Database) -> None:
    """Move the records of a folder into the database: into it in one transaction, then out of the folder.

    If the process ends in between, the next one repeats it. A file that cannot be read is named in the log and left
    where it is; the next start tries again. So is one whose record the database has with another content.

    Raises:
        OSError: A file cannot be deleted, or the database not be written.
    """
    if not folder.is_dir():
        return
    entries = [(file, entry) for file in sorted(folder.glob("*/*.json")) if (entry := _read(file)) is not None]
    entries.sort(key=lambda item: item[1]["order"])
    with database.transaction() as connection:
        for file, entry in entries:
            connection.execute(*insert(file.parent.name, entry["name"], entry["record"], json.dumps(entry["record"])))
    for file, entry in entries:
        query = "SELECT record FROM records WHERE kind = ? AND name = ?"
        if database.read(query, (file.parent.name, entry["name"])) == [(json.dumps(entry["record"]),)]:
            file.unlink()
        else:
            log.error("%s is not imported: the database has a newer record; delete the file", file)
    for unfinished in folder.glob("*/.*.part"):
        unfinished.unlink()
    for path in (*folder.iterdir(), folder):
        # damaged files keep their folders
        with suppress(OSError):
            path.rmdir()
    log.info("imported %d records from %s into %s", len(entries), folder, database.path)


def _read(file: Path) -> dict[str, Any] | None:
    try:
        entry = json.loads(file.read_text(encoding="utf-8"))
        if not (isinstance(entry["name"], str) and isinstance(entry["record"], dict)):
            raise ValueError("it does not contain a record")
        return {**entry, "order": int(entry["order"])}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        log.error("the record %s cannot be read (%s); restore the file or delete it", file, error)
        return None
