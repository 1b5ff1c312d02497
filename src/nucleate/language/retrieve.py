"""Texts about the words of a request, for a language model to read and for the report to cite.

They come from an index of crystal families and minerals that nucleate contains (full-text search of SQLite, ranked by
BM25), and from Wikipedia if wanted. Retrieved texts are treated as data: they are shortened and quoted, and no
instruction in them is followed. Where crystals of the library are hidden from a run, texts do not name them: the index
leaves them out, and Wikipedia, whose texts cannot be checked for them, is not asked.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.families.minerals import named_prototypes
from nucleate.io import replacing
from nucleate.redact import safe_address

if TYPE_CHECKING:
    from nucleate.library.library import Library

WIKIPEDIA = "https://en.wikipedia.org/w/api.php"
LEXICON = "nucleate's lexicon of crystal families"
MINERALS = "AFLOW library of crystallographic prototypes"
ADDRESS = "NUCLEATE_WIKIPEDIA"  # environment variable with another address of MediaWiki's API
AGENT = "nucleate (https://github.com/nucleate/nucleate; crystal design)"
PATIENCE = 5.0  # seconds without data after which there is no answer
KEEP = 30 * 24 * 3600.0  # seconds for which answers are kept
LENGTH = 500  # characters of a passage
LARGEST = 1_000_000  # bytes of an answer that are read
MEMBERS = 12  # known members that the passage of a family names
_STOP = frozenset(("a", "an", "the", "of", "in", "with", "without", "that", "is", "are", "not", "and", "or", "to",
                   "for", "which", "has", "have", "at", "by", "on", "no", "known", "new"))  # fmt: skip


@dataclass(frozen=True)
class Passage:
    """A short text with its title and its source."""

    title: str
    text: str
    source: str

    @property
    def citation(self) -> str:
        """Title and source, as records and reports name it."""
        return f"{self.title} ({self.source})"


def find_passages(words: str, k: int = 3, library: Library | None = None) -> list[Passage]:
    """The k passages of the index that match the words best by BM25, best first; none if no word occurs in it.

    library: the known crystals, None for all of them. Those that are hidden in it are no members of the families, and
    a mineral is left out where any crystal of its formula is hidden.
    """
    from nucleate.library.library import load_library

    terms = [w for w in re.findall(r"[A-Za-z0-9]+", words.lower()) if w not in _STOP]
    if not terms:
        return []
    query = " OR ".join(f'"{term}"' for term in dict.fromkeys(terms))
    rows = _index(load_library() if library is None else library).execute(
        "SELECT title, text, source FROM passages WHERE passages MATCH ? "
        "ORDER BY instr(?, lower(title)) = 0, bm25(passages, 8.0, 1.0) * (1 + (source = ?)) LIMIT ?",
        # Passages whose title is in the words come first, and families count more than minerals
        (query, words.lower(), LEXICON, k),
    )
    return [Passage(*row) for row in rows]


@lru_cache(maxsize=8)
def _index(library: Library) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    connection.execute("CREATE VIRTUAL TABLE passages USING fts5(title, text, source UNINDEXED, tokenize='porter')")
    rows = [(p.title, p.text, p.source) for p in (*_families(library), *_minerals(library))]
    connection.executemany("INSERT INTO passages VALUES (?, ?, ?)", rows)
    return connection


def _families(library: Library) -> Iterator[Passage]:
    from nucleate.chem.formula import formula_text
    from nucleate.crystal.symmetry import space_group_symbol
    from nucleate.families.family import lexicon
    from nucleate.families.members import known_members

    for family in lexicon().values():
        known = known_members(family.name, library)
        first = dict.fromkeys(formula_text(family.composition(m.elements)) for m in known[:MEMBERS])
        groups = ", ".join(dict.fromkeys(space_group_symbol(t.space_group) for t in family.types))
        ways = family.charge_texts
        parts = [f"{family.name}, {family.pattern}", f"space groups {groups}"]
        parts += [f"also called {', '.join(family.synonyms)}"] if family.synonyms else []
        parts += [f"charges {', or '.join(ways)}"] if ways else []
        parts += [f"{len(known)} known, such as {', '.join(first)}"] if known else []
        yield Passage(family.name, "; ".join(parts), LEXICON)


def _minerals(library: Library) -> Iterator[Passage]:
    from nucleate.chem.composition import Formula
    from nucleate.chem.formula import parse_formula

    hidden = library.hidden_formulas()
    for name, formula, tags in named_prototypes():
        if hidden and Formula.of(parse_formula(formula, strict=True)) in hidden:
            continue
        text = f"{name}, {formula}; prototype {tags['aflow']}; Pearson symbol {tags['pearson']}"
        yield Passage(name, text, MINERALS)


class Wikipedia:
    """The search of a MediaWiki site. Questions are asked one at a time, with a user agent that names nucleate, and
    answers are kept in `folder` for a month.

    url: of the API; default: the environment variable ADDRESS, or the English Wikipedia. timeout: seconds.
    """

    def __init__(self, folder: Path | None = None, url: str = "", timeout: float = PATIENCE) -> None:
        from nucleate.data.catalog import user_cache

        self.folder = folder if folder is not None else user_cache() / "wikipedia"
        self.url, self.timeout = url or os.environ.get(ADDRESS) or WIKIPEDIA, timeout
        self.trouble = ""  # why there was no answer

    def find(self, words: str, k: int = 2) -> list[Passage]:
        """The beginnings of the k best articles; none if there is no answer, and `trouble` then says why."""
        file = self.folder / f"{hashlib.sha256(f'{self.url} {k} {words}'.encode()).hexdigest()[:32]}.json"
        pages = _kept(file)
        if pages is None:
            try:
                pages = self._ask(words, k)
            except _Unanswered as error:
                self.trouble = str(error)
                return []
            _keep(file, pages)
        return [Passage(p["title"], plain_text(p["extract"]), p["url"]) for p in pages]

    def _ask(self, words: str, k: int) -> list[dict[str, str]]:
        import requests

        asked = {"action": "query", "format": "json", "formatversion": "2", "generator": "search", "gsrsearch": words}
        asked |= {"gsrlimit": str(k), "prop": "extracts|info", "exintro": "1", "explaintext": "1", "inprop": "url"}
        asked |= {"exlimit": str(k), "maxlag": "5"}
        try:
            with requests.get(
                self.url, params=asked, headers={"User-Agent": AGENT}, timeout=self.timeout, stream=True
            ) as answer:
                content = next(answer.iter_content(LARGEST), b"")
            if answer.status_code != 200:
                raise _Unanswered(f"{safe_address(self.url)} failed ({answer.status_code})")
            found = json.loads(content)["query"]["pages"] if b'"pages"' in content else []
            found = sorted(found, key=lambda page: page.get("index", 0))
            names = {"title": "title", "extract": "extract", "url": "fullurl"}
            return [{ours: str(page.get(theirs, "")) for ours, theirs in names.items()} for page in found]
        except requests.RequestException as error:
            raise _Unanswered(f"{safe_address(self.url)} does not answer ({type(error).__name__})") from None
        except (ValueError, LookupError, TypeError, AttributeError):
            raise _Unanswered(f"{safe_address(self.url)} does not speak MediaWiki's protocol") from None


class _Unanswered(Exception):
    pass


def _kept(file: Path) -> list[dict[str, str]] | None:
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        return record["pages"] if time.time() - record["time"] < KEEP else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _keep(file: Path, pages: list[dict[str, str]]) -> None:
    record: dict[str, Any] = {"time": time.time(), "pages": pages}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as temporary:
            temporary.write_text(json.dumps(record), encoding="utf-8")
    except OSError:  # without a cache, the question is asked again next time
        pass


class PassageSource:
    """The passages for a request: from the index for `words`, and from Wikipedia for `subject`, the crystal family.
    They are searched once, when they are first needed.

    library: the known crystals, None for all of them. Where some are hidden in it, Wikipedia is not asked.
    """

    def __init__(self, words: str, subject: str, wikipedia: Wikipedia | None, library: Library | None = None) -> None:
        self.words, self.subject, self.library = words, subject, library
        self.unchecked = wikipedia is not None and library is not None and library.visible is not None
        self.wikipedia = None if self.unchecked else wikipedia
        self._found: list[Passage] | None = None

    def passages(self) -> list[Passage]:
        """All passages, those of the index first."""
        if self._found is None:
            self._found = find_passages(self.words, library=self.library)
            if self.wikipedia is not None:
                self._found += self.wikipedia.find(f"{self.subject} crystal structure")
        return self._found

    @property
    def trouble(self) -> str:
        """Why Wikipedia gave no answer; "" if it did, or was not wanted."""
        if self.unchecked:
            return "Wikipedia is not asked where known crystals are hidden: its texts cannot be checked for them"
        return self.wikipedia.trouble if self.wikipedia is not None else ""


def plain_text(text: str) -> str:
    """The text as one line of printable characters, at most LENGTH of them."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= LENGTH else f"{line[: LENGTH - 3]}..."
