"""All crystals that decisions on sites lead to."""

from collections.abc import Iterator

from nucleate.crystal.feasible import PartialSites


def every_way(state: PartialSites, most_atoms: int) -> Iterator[PartialSites]:
    """All ends of a partial crystal; each state on the way must have a choice."""
    if state.done:
        yield state
        return
    choices = state.choices(most_atoms)
    assert choices, f"a dead end: {state}"
    for choice in choices:
        yield from every_way(state.decided(choice), most_atoms)
