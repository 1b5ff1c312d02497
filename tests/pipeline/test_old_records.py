"""Records of earlier versions open as today's."""

import pytest

from nucleate.errors import Code, NucleateError
from nucleate.pipeline.candidate import Candidate, Failure

BLANK = Candidate("a", 3).to_dict()


@pytest.mark.parametrize(
    ("text", "failure"),
    [
        ("relax: blew up: twice", Failure("relax", "not-relaxed", "blew up: twice")),
        ("chemistry: same formula as c1", Failure("chemistry", "duplicate", "same formula as c1")),
        ("chemistry: charge: no", Failure("chemistry", "chemistry", "charge: no")),
        (
            "width: formula 3 of 3 by R_hi, 2 are opened",
            Failure("width", "not-opened", "formula 3 of 3 by R_hi, 2 are opened"),
        ),
        ("odd: ZeroDivisionError", Failure("odd", "error", "ZeroDivisionError")),
    ],
)
def test_a_failure_that_was_one_text(text, failure):
    candidate = Candidate.from_dict({**BLANK, "failure": text})
    assert candidate.failure == failure and str(candidate.failure) == text
    assert Candidate.from_dict(candidate.to_dict()) == candidate


def test_a_failure_that_is_none_of_both_is_refused():
    for wrong in ("", 3, {"stage": "relax"}, {"stage": "", "code": "x", "reason": ""}):
        with pytest.raises(NucleateError, match="not a candidate record: failure"):
            Candidate.from_dict({**BLANK, "failure": wrong})


def test_codes_are_said_once_and_are_plain_texts():
    texts = [str(code) for code in Code]
    assert len(set(texts)) == len(texts) and all(t == t.lower() and " " not in t for t in texts)
    assert NucleateError("no").code == "error" and NucleateError("no", code=Code.UNMET).code == "unmet"
