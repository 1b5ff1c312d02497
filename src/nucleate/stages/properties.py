"""The stage that predicts properties of candidates with a trained network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.stage import Cost, Grain, Resource, Stage
from nucleate.pipeline.state import PredictedProperties
from nucleate.train.property import PropertyModel, predict_structures


class PredictStage(Stage):
    """Gives each candidate its `predicted` properties (`pipeline.state.PredictedProperties`), of the structure as it
    is.

    wanted: column -> lowest and highest wanted value. `off_target` tells how far outside of this range a prediction
    lies, in standard deviations of the network's training data; `rank` uses it. If the network cannot take a crystal,
    it has no values and `missing` says why. If a wanted property is predicted outside of the training data by more than
    their standard deviation, the crystal exploits errors of the network (GenMS, Yang et al. 2024, section 2.2):
    `missing` says so, and there is no `off_target`.
    """

    name = "predict"
    grain: Grain = "chunk"
    cost: Cost = "slow"
    resource: Resource = "gpu"

    def __init__(self, model: PropertyModel, wanted: Mapping[str, tuple[float, float]] | None = None) -> None:
        self.model = model
        self.wanted = {column: (float(low), float(high)) for column, (low, high) in (wanted or {}).items()}

    def __call__(self, candidates: Sequence[Candidate]) -> Iterable[Candidate]:
        with_structure = [c for c in candidates if c.structure is not None]
        values, reasons = predict_structures(self.model, [c.structure for c in with_structure if c.structure])
        place = {c.id: i for i, c in enumerate(with_structure)}
        for candidate in candidates:
            i = place.get(candidate.id)
            if i is None or i in reasons:
                why = reasons[i] if i is not None else "no structure"
                yield candidate.with_(predicted=PredictedProperties(self.model.name, missing=why, wanted=self.wanted))
                continue
            found = {column: float(v[i]) for column, v in values.items()}
            missing, off_target = "", dict[str, float]()
            beyond = [column for column in self.wanted if not self.seen(column, found[column])]
            if beyond:
                missing = f"{', '.join(beyond)} beyond what {self.model.name} was trained on"
            else:
                off_target = {c: self.off_target(c, found[c]) for c in self.wanted}
            predicted = PredictedProperties(self.model.name, found, missing, self.wanted, off_target)
            yield candidate.with_(predicted=predicted)

    def seen(self, column: str, value: float) -> bool:
        """Whether a value lies within the range of the training data, plus and minus their standard deviation."""
        stats = self.model.info.properties[column]
        return stats.low - stats.std <= value <= stats.high + stats.std

    def off_target(self, column: str, value: float) -> float:
        """Distance of a value from the wanted range, 0 inside, in standard deviations of the training data."""
        low, high = self.wanted[column]
        return max(low - value, value - high, 0.0) / self.model.info.properties[column].std
