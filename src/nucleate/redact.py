"""Removes passwords and keys from texts that are stored or shown, and control characters from what a terminal shows."""

from __future__ import annotations

import os
import re

MARK = "***"
KEYS = ("NUCLEATE_LLM_KEY", "OPENAI_API_KEY", "MP_API_KEY", "PMG_MAPI_KEY", "HF_TOKEN")  # environment variables
SHORTEST = 6  # shorter keys in the environment are not looked for, because any text may contain them by chance
NAMES = "key|token|secret|password|passwd|pwd|auth|sig|signature|credential"
PATTERNS = (
    (re.compile(r"(?<=://)[^/?#\s@\"'<>\\]+(?=@)"), MARK),  # http://user:password@host
    (re.compile(rf"([?&;][\w.%-]*(?:{NAMES})[\w.%-]*=)[^&\s#\"'<>\\]+", re.IGNORECASE), rf"\1{MARK}"),  # ...?key=...
    (re.compile(r"(authorization\W{1,4}(?:bearer|basic)\s+)[^\s\"'\\]+", re.IGNORECASE), rf"\1{MARK}"),
    (re.compile(r"\bsk-[\w-]{16,}"), MARK),
)


def redacted(text: str) -> str:
    """The text with "***" in place of passwords and keys: those in addresses and in their queries, in headers of
    requests, and those that are set in the environment."""
    for pattern, replacement in PATTERNS:
        text = pattern.sub(replacement, text)
    for name in KEYS:
        key = os.environ.get(name, "")
        if len(key) >= SHORTEST:
            text = text.replace(key, MARK)
    return text


def safe_address(url: str) -> str:
    """An address that can be stored: without a password, and without the values in its query."""
    return re.sub(r"(?<==)[^&#]+", MARK, redacted(url)) if "?" in url else redacted(url)


def printable(text: str) -> str:
    """The text with U+FFFD in place of each character that cannot be printed, such as the control characters that
    command a terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" or (c.isspace() and ord(c) > 127) else "\ufffd" for c in text)
