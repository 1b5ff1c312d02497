"""By what templates are ordered and how large their cells become, as users name it. Nothing here loads torch."""

from __future__ import annotations

from typing import get_args

from nucleate.errors import NucleateError
from nucleate.settings.sampling import Ranking, Volume

RANKINGS: tuple[str, ...] = get_args(Ranking)
VOLUMES: tuple[str, ...] = get_args(Volume)


def require_ranking(ranking: str, volume: str = VOLUMES[0]) -> None:
    """Raise NucleateError for a ranking or a volume that there is not, with those that there are."""
    if ranking not in RANKINGS:
        raise NucleateError(f"templates are ranked by {', '.join(RANKINGS)}, not '{ranking}'")
    if volume not in VOLUMES:
        raise NucleateError(f"the volume is one of {', '.join(VOLUMES)}, not '{volume}'")
