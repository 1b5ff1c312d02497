"""Formulas by a language model, with a server that answers well and servers that fail in different ways."""

import json

import pytest
from local_server import LanguageServer

from nucleate.engine.local import Serial
from nucleate.errors import NucleateError
from nucleate.families.family import lexicon
from nucleate.language.chat import Chat, read_json_answer, read_price
from nucleate.language.retrieve import PassageSource
from nucleate.language.stage import EACH, LanguageStage
from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.events import Watch
from nucleate.pipeline.origin import LanguageModelUse
from nucleate.request.parse import parse_request
from nucleate.settings import DesignSettings
from nucleate.tasks.design import design, load_run, resume

GOOD = [("Cs", "Na", "Y", "Cl"), ("K", "Na", "Al", "F"), ("Cs", "Ag", "Bi", "Br")]
KEY = "a-very-secret-key"


def formulas(*some):
    return json.dumps({"formulas": [dict(zip(("A", "B", "M", "X"), e, strict=True)) for e in some]})


def ask(server, count=3, text="an elpasolite", **options):
    facts = PassageSource("elpasolite", "elpasolite", None)
    chat = Chat(server.url, "tiny", **options)
    stage = LanguageStage(chat, parse_request(text), lexicon()["elpasolite"], texts=facts)
    return stage, list(stage([Candidate(f"c{i}") for i in range(count)]))


def test_formulas_from_the_lists_become_candidates():
    with LanguageServer(formulas(*GOOD)) as server:
        stage, found = ask(server)
    assert [c.formula for c in found] == ["Cs2NaYCl6", "K2NaAlF6", "Cs2AgBiBr6"]
    assert found[0].origin.family.charges == (1, 1, 3, -1)
    read = ["elpasolite (nucleate's lexicon of crystal families)"]
    assert found[0].origin.language == LanguageModelUse(server.url, "tiny", 40, tuple(read))
    schema = server.questions[0]["response_format"]["json_schema"]["schema"]["properties"]["formulas"]
    assert (
        schema["minItems"] == 3
        and {"F", "Cl"} <= set(schema["items"]["properties"]["X"]["enum"])
        and len(stage.transcript) == 1
    )
    said = server.questions[0]["messages"][1]["content"]
    assert "A2BMX6" in said and "A +1, B +1, M +3, X -1" in said and "Wanted: the 5 best crystals" in said


def test_wrong_answers_go_back_as_complaints():
    bad = formulas(("Cs", "Na", "Ti", "Cl"), ("Cs", "Na", "Y", "Xx"), ("Na", "Na", "Al", "F"), GOOD[0], GOOD[0])
    with LanguageServer(bad, formulas(*GOOD)) as server:
        _, found = ask(server)
    assert [c.failure for c in found] == [None] * 3 and len({c.formula for c in found}) == 3
    complaint = server.questions[1]["messages"][1]["content"]
    for words in (
        "Xx is not on the list of X",
        "one element on two sites",
        "Cs2NaYCl6 was given already",
        "Not again:",
    ):
        assert words in complaint


def test_answers_are_checked_against_the_wishes():
    with LanguageServer(formulas(*GOOD)) as server:
        _, found = ask(server, 1, "an elpasolite without alkali metals and without silver")
    assert str(found[0].failure).startswith("propose: the language model gave 0 good formulas of 12 answered")


@pytest.mark.parametrize(
    "answer",
    [
        "Certainly! Elpasolites are a fascinating family.",
        '{"formulas": [{"A": "Cs"',
        '{"formulas": 7}',
        "[1, 2]",
        "",
        "null",
    ],
)
def test_prose_and_broken_json_are_no_formulas(answer):
    with LanguageServer(answer) as server:
        _, found = ask(server, 2)
    assert all("gave 0 good formulas" in str(c.failure) for c in found) and len(server.questions) == 4


def test_json_between_words_is_read():
    with LanguageServer(f"Here you are:\n```json\n{formulas(*GOOD)}\n```\nAnything else?") as server:
        _, found = ask(server)
    assert all(c.failure is None for c in found)
    assert read_json_answer('so: {"a": 1} and {"b": 2}') == {"a": 1} and read_json_answer("nothing") is None


def test_an_answer_of_ten_thousand_formulas_is_cut():
    with LanguageServer(formulas(*GOOD * 3500)) as server:
        _, found = ask(server, 5)
    assert sum(c.failure is None for c in found) == 3
    with (
        LanguageServer("RAW" + "x" * 3_000_000) as server,
        pytest.raises(NucleateError, match="more than 2,000,000 bytes"),
    ):
        ask(server)


def test_servers_that_know_no_schemas_are_asked_for_json_and_then_for_text():
    with LanguageServer(formulas(*GOOD), refuses=("json_schema", "json_object")) as server:
        _, found = ask(server)
    assert all(c.failure is None for c in found)
    kinds = [q.get("response_format", {}).get("type") for q in server.questions]
    assert kinds == ["json_schema", "json_object", None]


def test_dead_slow_and_wrong_servers_are_errors_of_one_line():
    with LanguageServer("x") as server:
        url = server.url
    with pytest.raises(NucleateError, match=r"no language model answers at .*is its server running"):
        Chat(url).ask([], {}, 10)
    with (
        LanguageServer("x", delay=0.6) as server,
        pytest.raises(NucleateError, match=r"no answer from .* within 0.2 s"),
    ):
        ask(server, timeout=0.2)
    with (
        LanguageServer("RAW<html>hello</html>") as server,
        pytest.raises(NucleateError, match="does not speak the OpenAI protocol"),
    ):
        ask(server)
    with (
        LanguageServer("RAWno such model", status=404) as server,
        pytest.raises(NucleateError, match="or model 'tiny' .404"),
    ):
        ask(server)
    with (
        LanguageServer("RAWout of memory", status=500) as server,
        pytest.raises(NucleateError, match=r"failed \(500\): out of memory"),
    ):
        ask(server)
    with pytest.raises(NucleateError, match="looks like http://localhost:8080/v1, not 'localhost'"):
        Chat("localhost")


def test_keys_come_from_the_environment_and_are_written_nowhere(tmp_path, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("NUCLEATE_LLM_KEY", "wrong")
    with LanguageServer(formulas(*GOOD), key=KEY) as server:
        with pytest.raises(
            NucleateError, match="refuses the key .401.; set the environment variable NUCLEATE_LLM_KEY"
        ) as fault:
            ask(server)
        assert "wrong" not in str(fault.value)
        monkeypatch.setenv("NUCLEATE_LLM_KEY", KEY)
        quick = DesignSettings.of(
            oversample=1,
            relax_steps=1,
            second="none",
            llm=server.url,
            llm_model="tiny",
            llm_price="10,5",
            retrieval=False,
        )
        run = design("an elpasolite, 3 candidates", tmp_path / "run", quick, executor=Serial())
    assert {c.formula for c in run.all} == {"Cs2NaYCl6", "K2NaAlF6", "Cs2AgBiBr6"}
    lines = (tmp_path / "run" / "language-model.jsonl").read_text().splitlines()
    assert (
        len(lines) == 1
        and "elpasolite" in lines[0]
        and load_run(tmp_path / "run").settings.language.address == server.url
    )
    report = (tmp_path / "run" / "report.html").read_text()
    assert "tiny at http://127.0.0.1" in report
    assert "1 questions, 100 tokens of questions and 20 of answers, 0.0011 US dollars" in report
    assert json.loads(lines[0])["completion_tokens"] == 20 and load_run(tmp_path / "run").language["questions"] == 1
    assert not [f for f in (tmp_path / "run").rglob("*") if f.is_file() and KEY.encode() in f.read_bytes()]


def test_prices_are_two_numbers():
    assert read_price("") is None and read_price("0.15, 0.6") == (0.15, 0.6)
    for text in ("3", "1,x", "-1,2", "1,2,3", "nan,1"):
        with pytest.raises(NucleateError, match="two numbers, US dollars per million tokens"):
            read_price(text)


def test_many_formulas_are_asked_for_in_several_questions():
    with LanguageServer(formulas(*GOOD)) as server:
        ask(server, 6 * EACH)
    assert len(server.questions) == 6 + 3  # enough for all formulas, and SPARE questions more
    assert server.questions[0]["response_format"]["json_schema"]["schema"]["properties"]["formulas"]["minItems"] == EACH


def test_a_request_without_a_family_is_refused(tmp_path):
    for text in ("SrTiO3", "an oxide", "a sulfide of ratio 1:1"):
        with pytest.raises(NucleateError, match="fills the sites of a crystal family"):
            design(text, tmp_path / "run", DesignSettings.of(llm="http://127.0.0.1:9/v1"))
    with pytest.raises(NucleateError, match="fills the sites of one crystal family"):
        design("a spinel or a garnet", tmp_path / "run", DesignSettings.of(llm="http://127.0.0.1:9/v1"))


def test_a_password_in_the_address_is_written_nowhere_and_asked_for_again(tmp_path, monkeypatch):
    secret = "s3cret-password"
    with LanguageServer(formulas(*GOOD)) as server:
        address = server.url.replace("http://", f"http://me:{secret}@") + f"?code={secret}"
        monkeypatch.setattr("nucleate.language.chat.PATIENCE", 1)
        settings = DesignSettings.of(llm=address, oversample=1, structures="prototype", second="none", relax_steps=1)
        folder = tmp_path / "run"

        def stop(event):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            design("an elpasolite, 2 candidates", folder, settings, executor=Serial(), watch=Watch(stop))
        with pytest.raises(NucleateError, match="give it again with --llm ADDRESS, or in the .* NUCLEATE_LLM_URL"):
            resume(folder, executor=Serial())
        assert server.questions == []
        monkeypatch.setenv("NUCLEATE_LLM_URL", address)
        result = resume(folder, executor=Serial())
        assert len(server.questions) == 1 and secret not in server.questions[0]["messages"][0]["content"]
    recorded = result.settings.language.address
    assert recorded.startswith("http://***@127.0.0.1") and recorded.endswith("?code=***")
    assert not [f for f in folder.rglob("*") if f.is_file() and secret.encode() in f.read_bytes()]
