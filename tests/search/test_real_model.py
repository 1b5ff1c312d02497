"""A real server with a real language model: requests and answers work. Its chemistry is too poor to be tested."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from nucleate.engine.local import Serial
from nucleate.families.family import lexicon
from nucleate.language.chat import Chat
from nucleate.language.site_choices import site_choices
from nucleate.language.stage import order_formulas
from nucleate.request.parse import parse_request
from nucleate.settings import DesignSettings
from nucleate.tasks.design import design

MODEL = Path(sys.prefix) / "language-model" / "SmolLM2-135M-Instruct.Q4_1.gguf"
pytest.importorskip("xllamacpp", reason="no language model server; pip install xllamacpp")
if not MODEL.is_file():
    pytest.skip(f"no language model; python scripts/language_model.py {MODEL.parent}", allow_module_level=True)


@pytest.fixture(scope="module")
def url():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = Path(__file__).parents[1] / "helpers" / "serve_model.py"
    server = subprocess.Popen(
        [sys.executable, script, MODEL, str(port)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert server.stdout.readline().strip() == "ready"
    yield f"http://127.0.0.1:{port}/v1"
    server.kill()
    server.wait()


def test_formulas_are_chosen_within_the_lists_and_judged(url, tmp_path):
    settings = DesignSettings.of(
        oversample=1, relax_steps=1, second="none", llm=url, retrieval=False, search="best-first", formulas=2, width=2
    )
    made = design("an elpasolite without lead, 2 candidates", tmp_path / "run", settings, executor=Serial())
    (choice,) = site_choices(lexicon()["elpasolite"], made.request)
    good = [c for c in made.all if c.failure is None]
    assert len(made.all) >= 2 and all(c.failure is None or c.failure[:7] in ("propose", "check: ") for c in made.all)
    for c in good:
        member = c.origin.family
        assert all(e in site for e, site in zip(member.elements, choice.elements, strict=True))
        assert lexicon()["elpasolite"].admits(member.elements) and c.formula_score.terms
    lines = (tmp_path / "run" / "language-model.jsonl").read_text().splitlines()
    first = json.loads(lines[0])
    values = json.loads(first["answer"])["formulas"]
    assert all(one[a] in site for one in values for a, site in zip("ABMX", choice.elements, strict=True)), (
        "the schema holds its choices to the lists"
    )


def test_it_orders_formulas_by_the_schema(url):
    formulas = ["NaCl", "MgO", "KBr"]
    order, exchange = order_formulas(Chat(url), parse_request("a rock salt"), formulas)
    assert order and set(order) <= set(formulas) and exchange["messages"]
