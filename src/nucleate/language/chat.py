"""A client for language models with an OpenAI-compatible interface, which asks questions and gets answers in JSON."""

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

KEY = "NUCLEATE_LLM_KEY"  # environment variable of the key; OPENAI_API_KEY is read if it is not set
ADDRESS = "NUCLEATE_LLM_URL"  # environment variable of the whole address, whose secret is not kept in records
PATIENCE = 5  # an answer that arrives slowly may take this many times the time limit
LARGEST = 2_000_000  # bytes; a longer answer is an error
FORMATS = ("json_schema", "json_object", "")  # ways to ask for JSON, the strictest first
Messages = Sequence[Mapping[str, str]]
MILLION = 1_000_000
TEMPERATURE = 1.0  # all servers accept it; some have a lower default, with which small models repeat themselves


@dataclass(frozen=True)
class Reply:
    """An answer of a language model. text: as the model wrote it. prompt_tokens, completion_tokens: of the question and
    of the answer, 0 if the server does not tell."""

    text: str
    prompt_tokens: int
    completion_tokens: int

    def exchange(self, messages: Messages, complaint: str) -> dict[str, Any]:
        """Question, answer and complaint about the answer, for the transcript of a run."""
        tokens = {"prompt_tokens": self.prompt_tokens, "completion_tokens": self.completion_tokens}
        return {"messages": list(messages), "answer": self.text[:20000], "complaint": complaint, **tokens}


class Chat:
    """A language model at an address such as http://localhost:8080/v1. The key is taken from the environment and sent
    to that server only.

    url: it may contain a secret (http://user:password@host, ?key=...); `name` is the address without it. model: name of
    the model, "" for the server's default. timeout: seconds without data after which the server counts as dead; an
    answer may take PATIENCE times as long. A server that does not know JSON schemas is asked for plain JSON, then for
    text. Raises NucleateError for an address that is none.
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
        """One answer to the messages, as JSON of the schema. Raises NucleateError, without the key in it, if there is
        none."""
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
                self.format += 1  # the server does not know this way to ask for JSON
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
    """The address to which questions are sent. A query of the given address stays at its end."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/chat/completions", fragment=""))


def _said(text: str) -> str:
    """The text of a server on one line, without secrets that it may repeat."""
    return redacted(" ".join(text.split()))


def read_price(text: str) -> tuple[float, float] | None:
    """Prices in US dollars for a million tokens of questions and of answers, from a text such as "0.15,0.6"; None from
    "". Raises NucleateError for other texts."""
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
    """How much a run used a language model, in words. used: numbers of questions, prompt_tokens and completion_tokens.
    price: as for `read_price`."""
    asked, answered = used["prompt_tokens"], used["completion_tokens"]
    text = f"{used['questions']} questions, {asked:,} tokens of questions and {answered:,} of answers"
    each = read_price(price)
    if each is None:
        return text
    return f"{text}, {(asked * each[0] + answered * each[1]) / MILLION:.4f} US dollars"


def read_json_answer(text: str) -> Any:
    """The JSON value in an answer, which may be between other words or in a code block; None if there is none."""
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
