"""Read the files of data lakes as streams of Arrow tables: CSV, JSON lines and Parquet, plain or compressed.

`list_files` finds the files, `read_tables` reads one of them in chunks of bounded size. A chunk has the types of its
own values; `FileTypes` gathers them over the chunks of a file, `InputSchema` over all files.
"""

from preprocessing.reading.csv_text import CsvFormat
from preprocessing.reading.files import InputFile, list_files
from preprocessing.reading.schemas import FileTypes, InputSchema
from preprocessing.reading.tables import read_tables

__all__ = ["CsvFormat", "FileTypes", "InputFile", "InputSchema", "list_files", "read_tables"]
