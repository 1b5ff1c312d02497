"""Secrets in addresses, headers and the environment are taken out; everything else stays as it is."""

import json

import pytest

from nucleate.redact import redacted, safe_address


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://me:s3cret@host:80/v1", "http://***@host:80/v1"),
        ("see https://token@host/v1?x=1", "see https://***@host/v1?x=1"),
        ("https://host/v1?api_key=s3cret&model=a", "https://host/v1?api_key=***&model=a"),
        ('https://host/?model=a&amp;Access-Token=s3cret"', 'https://host/?model=a&amp;Access-Token=***"'),
        ("'Authorization': 'Bearer s3cret'", "'Authorization': 'Bearer ***'"),
        ("wrong key sk-abcdefghijklmnopqrstuv", "wrong key ***"),
        ("a basic perovskite oxide, at 300 K", "a basic perovskite oxide, at 300 K"),
        (
            "https://en.wikipedia.org/w/index.php?title=Perovskite",
            "https://en.wikipedia.org/w/index.php?title=Perovskite",
        ),
        ("me@host.org, ratio 1:1@x", "me@host.org, ratio 1:1@x"),
    ],
)
def test_what_is_taken_out(text, expected):
    assert redacted(text) == expected
    assert json.loads(redacted(json.dumps({"x": text}))) == {"x": expected}


def test_keys_of_the_environment(monkeypatch):
    monkeypatch.setenv("NUCLEATE_LLM_KEY", "a-very-secret-key")
    monkeypatch.setenv("OPENAI_API_KEY", "none")  # what people write where a server wants no key: a word
    assert redacted("none: invalid key a-very-secret-key") == "none: invalid key ***"


def test_an_address_keeps_no_value_of_its_query():
    assert safe_address("http://u:p@h/v1?k=s3cret&v=2") == "http://***@h/v1?k=***&v=***"
    assert safe_address("http://localhost:8080/v1") == "http://localhost:8080/v1"
