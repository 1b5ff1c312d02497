"""Passwords and keys stay out of whatever is written or said, codes that command a terminal out of what is shown."""

from __future__ import annotations

import os
import re

MARK = "***"
KEYS = ("NUCLEATE_LLM_KEY", "OPENAI_API_KEY", "MP_API_KEY", "PMG_MAPI_KEY", "HF_TOKEN")  # environment variables
SHORTEST = 6  # a key in the environment that is shorter may be a word of any text
NAMES = "key|token|secret|password|passwd|pwd|auth|sig|signature|credential"
PATTERNS = (
    (re.compile(r"(?<=://)[^/?#\s@\"'<>\\]+(?=@)"), MARK),  # http://user:password@host
    (re.compile(rf"([?&;][\w.%-]*(?:{NAMES})[\w.%-]*=)[^&\s#\"'<>\\]+", re.IGNORECASE), rf"\1{MARK}"),  # ...?key=...
    (re.compile(r"(authorization\W{1,4}(?:bearer|basic)\s+)[^\s\"'\\]+", re.IGNORECASE), rf"\1{MARK}"),
    (re.compile(r"\bsk-[\w-]{16,}"), MARK),
)


def redacted(text: str) -> str:
    """The text without passwords in addresses, keys in their queries, and the keys that the environment holds."""
    for pattern, instead in PATTERNS:
        text = pattern.sub(instead, text)
    for name in KEYS:
        key = os.environ.get(name, "")
        if len(key) >= SHORTEST:
            text = text.replace(key, MARK)
    return text


def safe_address(url: str) -> str:
    """An address to keep on record: without a password, and without any value of its query."""
    return re.sub(r"(?<==)[^&#]+", MARK, redacted(url)) if "?" in url else redacted(url)


def printable(text: str) -> str:
    """The text with a mark in place of each character that has no sign: codes for a terminal, halves of characters."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" or (c.isspace() and ord(c) > 127) else "\ufffd" for c in text)
