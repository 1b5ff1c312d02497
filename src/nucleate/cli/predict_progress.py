"""What a search for structures tells while it runs: what is tried, and the best answer so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.pipeline.events import CandidateChanged, Event, StageBegan

if TYPE_CHECKING:
    from rich.console import Console

    from nucleate.pipeline.candidate import Candidate

TOLD = 4  # formulas of which the best answer is told
TRIED = {  # stage -> what it does, in words
    "retrieval": "known crystals, votes of known crystals, and orderings",
    "relax": "relaxation of the answers, the most probable first",
}


class SearchLines:
    """A listener that prints a line for what is tried, and one for each better answer of a formula.

    Before relaxation the best answer is the first one; then the one of the lowest energy per atom is told."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.first: dict[str, Candidate] = {}
        self.lowest: dict[str, float] = {}

    def __call__(self, event: Event) -> None:
        """Print what the event changes."""
        match event:
            case StageBegan(name, done, total) if name in TRIED and done < total:
                self.console.print(f"trying: {TRIED[name]}", style="dim", soft_wrap=True)
            case CandidateChanged(name, candidate) if candidate.failure is None:
                self._changed(name, candidate)

    def _changed(self, stage: str, c: Candidate) -> None:
        formula = c.wanted.label
        before = self.first.get(formula)
        if stage == "retrieval" and (before is None or c.wanted.rank < before.wanted.rank):
            if before is None and len(self.first) == TOLD:
                return
            self.first[formula] = c
            self._say(c, _chance(c))
        energy = c.energy_per_atom
        if stage != "relax" or formula not in self.first or energy is None:
            return
        if energy < self.lowest.get(formula, float("inf")):
            self.lowest[formula] = energy
            self._say(c, f"{energy:.3f} eV/atom, the lowest energy so far; {_chance(c)}")

    def _say(self, c: Candidate, what: str) -> None:
        self.console.print(f"best so far: {c.id}, {what}", style="dim", soft_wrap=True)


def _chance(c: Candidate) -> str:
    """How probable an answer is, in words."""
    if c.vote is None:
        return "a random structure, because no known crystal has the ratio"
    if c.vote.proposer == "known":
        return f"a known crystal, {c.vote.id}"
    if c.vote.probability is None:
        return f"{c.vote.proposer} from {c.vote.id}, without a probability"
    return f"{100 * c.vote.probability:.0f} % by the votes, from {c.vote.id}"
