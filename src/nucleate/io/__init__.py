"""Reading and writing of structure files: `read_structures` and `write_structures`. The ending of a file decides its
format."""

from nucleate.files import replacing
from nucleate.io.read import KNOWN, find_files, nothing_read, read_items, read_structures
from nucleate.io.results import Named, Problem, ReadResult, Remark, remarks_of
from nucleate.io.write import safe_name, safe_names, write_structures

__all__ = [
    "KNOWN",
    "Named",
    "Problem",
    "ReadResult",
    "Remark",
    "find_files",
    "nothing_read",
    "read_items",
    "read_structures",
    "remarks_of",
    "replacing",
    "safe_name",
    "safe_names",
    "write_structures",
]
