"""A client for language models behind an OpenAI-compatible endpoint: one question, one JSON answer."""

from __future__ import annotations

import json
import math
import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from nucleate.errors import NucleateError
from nucleate.redact import MARK, redacted, safe_address

KEY = "NUCLEATE_LLM_KEY"  # environment variable of the key; OPENAI_API_KEY is read where it is not set
ADDRESS = "NUCLEATE_LLM_URL"  # environment variable of an address whose secret a record does not have
PATIENCE = 5
LARGEST = 2_000_000  # bytes of an answer that are read
FORMATS = ("json_schema", "json_object", "")  # how an answer is asked to be JSON, the strictest first
Messages = Sequence[Mapping[str, str]]
MILLION = 1_000_000
TEMPERATURE = 1.0  # what all servers take; that of some is lower if not told, and small models then repeat themselves


@dataclass(frozen=True)
class Reply:
    """text: as the model wrote it. tokens: of the question and of the answer, 0 where the server does not say."""

    text: str
    prompt_tokens: int
    completion_tokens: int

    def exchange(self, messages: Messages, complaint: str) -> dict[str, Any]:
        """For the transcript of a run: what was asked, answered and found fault with."""
        tokens = {"prompt_tokens": self.prompt_tokens, "completion_tokens": self.completion_tokens}
        return {"messages": list(messages), "answer": self.text[:20000], "complaint": complaint, **tokens}


class Chat:
    """A model at an endpoint such as http://localhost:8080/v1, with a key from the environment that goes nowhere else.

    url: with a secret in it where need be (http://user:password@host, ?key=...); `name` is the address without.

    timeout: seconds without a byte until a server counts as dead; one that trickles has PATIENCE times as many. A
    server that does not know JSON schemas is asked for plain JSON, then for text.
    """

    def __init__(self, url: str, model: str = "", timeout: float = 300.0) -> None:
        if not re.match(r"https?://[^/\s]+", url):
            like = "http://localhost:8080/v1"
            raise NucleateError(f"a language model's address looks like {like}, not '{redacted(url)}'")
        known = os.environ.get(ADDRESS, "")
        url = known if MARK in url and safe_address(known) == url else url
        self.url, self.model, self.timeout = url, model, timeout
        self.name = safe_address(url)  # for records and messages
        self.format = 0

    def ask(self, messages: Messages, schema: Mapping[str, Any], max_tokens: int, seed: int = 0) -> Reply:
        """One answer; raises NucleateError, without the key, where there is none."""
        while True:
            body: dict[str, Any] = {"messages": list(messages), "max_tokens": max_tokens, "seed": seed}
            body["temperature"] = TEMPERATURE
            body |= {"model": self.model} if self.model else {}
            kind = FORMATS[self.format]
            if kind == "json_schema":
                named = {"name": "answer", "strict": True, "schema": schema}
                body["response_format"] = {"type": kind, "json_schema": named}
            elif kind:
                body["response_format"] = {"type": kind}
            status, text = self._post(body)
            if status in (400, 404, 422, 501) and "format" in text.lower() and self.format < len(FORMATS) - 1:
                self.format += 1  # it does not know this way of asking
                continue
            return self._read(status, text)

    def _post(self, body: Mapping[str, Any]) -> tuple[int, str]:
        import requests

        if MARK in self.url:
            raise NucleateError(
                f"the address of the language model, {self.name}, holds a secret, which no record keeps: give it again "
                f"with --llm ADDRESS, or in the environment variable {ADDRESS}"
            )
        key = os.environ.get(KEY) or os.environ.get("OPENAI_API_KEY") or ""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        try:
            with requests.post(
                _endpoint(self.url), json=body, headers=headers, timeout=self.timeout, stream=True
            ) as answer:
                content, began = b"", time.monotonic()
                for part in answer.iter_content(65536):
                    content += part
                    if time.monotonic() - began > PATIENCE * self.timeout:
                        raise requests.Timeout
                    if len(content) > LARGEST:
                        raise NucleateError(f"the language model at {self.name} answered more than {LARGEST:,} bytes")
                return answer.status_code, content.decode("utf-8", "replace")
        except requests.Timeout:
            raise NucleateError(
                f"no answer from {self.name} within {self.timeout:g} s; is the model too slow?"
            ) from None
        except requests.RequestException as error:
            kind = type(error).__name__
            raise NucleateError(f"no language model answers at {self.name} ({kind}); is its server running?") from None

    def _read(self, status: int, text: str) -> Reply:
        if status in (401, 403):
            raise NucleateError(f"{self.name} refuses the key ({status}); set the environment variable {KEY}")
        if status == 404:
            model = f" or model '{self.model}'" if self.model else ""
            raise NucleateError(f"{self.name} has no /chat/completions{model} (404)")
        if status != 200:
            raise NucleateError(f"the language model at {self.name} failed ({status}): {_said(text)[:200]}")
        try:
            values = json.loads(text)
            content = values["choices"][0]["message"]["content"] or ""
        except (ValueError, LookupError, TypeError):
            raise NucleateError(f"{self.name} does not speak the OpenAI protocol: {_said(text)[:80]}") from None
        used = values.get("usage") or {}
        return Reply(str(content), int(used.get("prompt_tokens") or 0), int(used.get("completion_tokens") or 0))


def _endpoint(url: str) -> str:
    """Where questions go: the address may have a query, which stays at its end."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/chat/completions", fragment=""))


def _said(text: str) -> str:
    """What a server said, on one line, without any secret that it repeats."""
    return redacted(" ".join(text.split()))


def read_price(text: str) -> tuple[float, float] | None:
    """US dollars for a million tokens of questions and of answers from "0.15,0.6"; None from ""."""
    if not text:
        return None
    try:
        asked, answered = (float(part) for part in text.split(","))
    except ValueError:
        asked = answered = math.nan
    if not (0 <= asked < math.inf and 0 <= answered < math.inf):
        raise NucleateError(
            f"the price of a language model is two numbers, US dollars per million tokens of questions and of answers, "
            f"such as 0.15,0.6, not '{text}'"
        )
    return asked, answered


def usage_text(used: Mapping[str, int], price: str) -> str:
    """What a run took of a language model, in words; used: questions, prompt_tokens and completion_tokens."""
    asked, answered = used["prompt_tokens"], used["completion_tokens"]
    text = f"{used['questions']} questions, {asked:,} tokens of questions and {answered:,} of answers"
    each = read_price(price)
    if each is None:
        return text
    return f"{text}, {(asked * each[0] + answered * each[1]) / MILLION:.4f} US dollars"


def read_json(text: str) -> Any:
    """The JSON of an answer, also from between words or in a fence; None where there is none."""
    for candidate in (text, *re.findall(r"```(?:json)?\s*(.*?)```", text, re.DOTALL)):
        try:
            return json.loads(candidate)
        except ValueError:
            pass
    decoder = json.JSONDecoder()
    for found in re.finditer(r"[{\[]", text[:20000]):
        try:
            return decoder.raw_decode(text, found.start())[0]
        except ValueError:
            continue
    return None
