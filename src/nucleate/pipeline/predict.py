"""Properties of candidates by a trained network, as they stand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nucleate.pipeline.candidate import Candidate
from nucleate.train.property import PropertyModel, predict_structures


class PredictStage:
    """Provenance "predicted": column -> value in the units of the network's training data, and "predicted_by".

    A crystal that the network cannot take has no value and says why in "not_predicted".
    """

    name = "predict"
    batched = True

    def __init__(self, model: PropertyModel) -> None:
        self.model = model

    def __call__(self, candidates: Sequence[Candidate]) -> Iterable[Candidate]:
        with_structure = [c for c in candidates if c.structure is not None]
        values, reasons = predict_structures(self.model, [c.structure for c in with_structure if c.structure])
        place = {c.id: i for i, c in enumerate(with_structure)}
        for candidate in candidates:
            i = place.get(candidate.id)
            if i is None or i in reasons:
                why = reasons[i] if i is not None else "no structure"
                yield candidate.with_(provenance={"not_predicted": why})
                continue
            found = {column: float(v[i]) for column, v in values.items()}
            yield candidate.with_(provenance={"predicted": found, "predicted_by": self.model.name})
