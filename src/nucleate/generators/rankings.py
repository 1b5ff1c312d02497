"""Names that users write for the ranking of templates and for the volume of their cells. Nothing here loads torch."""

from __future__ import annotations

from typing import get_args

from nucleate.errors import NucleateError
from nucleate.settings.sampling import Ranking, Volume

RANKINGS: tuple[str, ...] = get_args(Ranking)
VOLUMES: tuple[str, ...] = get_args(Volume)


def require_ranking(ranking: str, volume: str = VOLUMES[0]) -> None:
    """Raise NucleateError for an unknown ranking or volume; it names the known ones."""
    if ranking not in RANKINGS:
        raise NucleateError(f"templates are ranked by {', '.join(RANKINGS)}, not '{ranking}'")
    if volume not in VOLUMES:
        raise NucleateError(f"the volume is one of {', '.join(VOLUMES)}, not '{volume}'")
