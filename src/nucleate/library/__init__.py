"""Every known crystal that comes with nucleate: one library that is asked, and views of it without hidden crystals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.lazy import lazy_names

if TYPE_CHECKING:
    from nucleate.library.entries import KnownEntries, KnownEntry
    from nucleate.library.filters import Filters
    from nucleate.library.library import Library, load_library
    from nucleate.library.nearest import KnownRelative
    from nucleate.library.novelty import NoveltyJudgement

__getattr__ = lazy_names(
    __name__,
    {
        "Filters": "nucleate.library.filters",
        "KnownEntries": "nucleate.library.entries",
        "KnownEntry": "nucleate.library.entries",
        "KnownRelative": "nucleate.library.nearest",
        "Library": "nucleate.library.library",
        "NoveltyJudgement": "nucleate.library.novelty",
        "load_library": "nucleate.library.library",
    },
)

__all__ = [
    "Filters",
    "KnownEntries",
    "KnownEntry",
    "KnownRelative",
    "Library",
    "NoveltyJudgement",
    "load_library",
]
