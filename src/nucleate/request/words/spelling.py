"""Corrects words that are misspelt, joined, or written in capitals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from functools import cache

from nucleate.request.words import lexicon as lex
from nucleate.request.words.tokens import FORMULA, Token

_NEAR = 0.85  # smallest similarity (difflib's ratio) of a misspelt word to the word that it is taken for
_SHORTEST, _LONGEST = 5, 24  # only words with so many letters are corrected


def with_corrected_spelling(tokens: Sequence[Token], notes: list[str]) -> list[Token]:
    """The tokens with corrected words. For each misspelt word a note says what it was taken for."""
    out = list(_split_words(tokens))
    if len(out) > 2 and not any(c.islower() for t in out for c in t.text):  # ALL IN CAPITALS
        out = [replace(t, text=t.text.lower()) if t.kind != FORMULA or _is_plain(t.lower) else t for t in out]
    return [t if (near := _respelt(t)) is None else _noted(t, near, notes) for t in out]


def _is_plain(word: str) -> bool:
    return lex.meaning((word,)) is not None


def _split_words(tokens: Sequence[Token]) -> Iterator[Token]:
    """The tokens with "nonoxide", "leadfree" and "cobaltless" cut into two words, and with "NO" and "BUT" as words
    rather than formulas."""
    for t in tokens:
        if t.kind == FORMULA and t.text.isupper() and t.text.isalpha() and _is_plain(t.lower):
            yield replace(t, kind="word", text=t.lower)
            continue
        if t.kind == "word" and len(t.text) > 6 and not _is_plain(t.lower):
            cut = next((c for c in _cuts(t.lower)), 0)
            if cut:
                yield replace(t, text=t.text[:cut], end=t.start + cut)
                yield Token(t.kind, t.text[cut:], t.start + cut, t.end, True)
                continue
        yield t


def _cuts(word: str) -> Iterator[int]:
    if word.startswith("non") and _is_plain(word[3:]):
        yield 3
    for suffix in ("free", "less"):
        stem = word.removesuffix(suffix)
        if stem != word and (lex.meaning((stem,)) or ("",))[0] in (lex.ELEMENT, lex.GROUP):
            yield len(stem)


def _noted(t: Token, near: str, notes: list[str]) -> Token:
    notes.append(f"'{t.text}' taken for {near}")
    return replace(t, text=near)


@cache
def _vocabulary() -> dict[str, list[str]]:
    """For each word that may be misspelt: the word itself, and the word without one of its letters -> the word."""
    kinds = (lex.FAMILY, lex.CLASS, lex.ELEMENT, lex.GROUP)
    single = {p for p, (kind, _) in lex.phrases().items() if kind in kinds and p.isalpha() and len(p) >= _SHORTEST}
    single |= lex.words_of("asked", "respelt")
    out: dict[str, list[str]] = {}
    for word in sorted(single):
        for key in {word, *_less_one(word)}:
            out.setdefault(key, []).append(word)
    return out


def _less_one(word: str) -> list[str]:
    return [word[:i] + word[i + 1 :] for i in range(len(word))]


def _respelt(t: Token) -> str | None:
    """The word that a misspelt one is taken for, None for none. "sulfite" is not taken for "sulfide"."""
    if t.kind != "word" or not t.text.isalpha() or not _SHORTEST <= len(t.text) <= _LONGEST or _is_plain(t.lower):
        return None
    return _nearest(t.lower)


def _nearest(word: str) -> str | None:
    best: tuple[float, str] | None = None
    for one in dict.fromkeys(s for s in lex.singulars(word)):
        for key in dict.fromkeys((one, *_less_one(one))):
            for known in _vocabulary().get(key, ()):
                share = SequenceMatcher(None, one, known).ratio()
                endings = (
                    one[-3:] != known[-3:]
                    and one.endswith(("ite", "ate", "ide"))
                    and known.endswith(("ite", "ate", "ide"))
                )
                if share >= _NEAR and not endings and (best is None or share > best[0]):
                    best = share, known
    return best[1] if best and best[1] != word else None
