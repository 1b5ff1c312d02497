"""A few crystals by their symmetry, and a model of sites trained on them for a moment."""

from pathlib import Path

from nucleate.crystal.asymmetric import AsymmetricUnit, Site, symmetric_batch
from nucleate.systems.reading import read_recipe
from nucleate.train.loop import WEIGHTS, Trainer

UNITS = [
    AsymmetricUnit(221, (3.9,) * 3 + (90,) * 3, (Site(38, "a", ()), Site(22, "b", ()), Site(8, "c", ()))),
    AsymmetricUnit(225, (5.6,) * 3 + (90,) * 3, (Site(38, "a", ()), Site(8, "b", ()))),
    AsymmetricUnit(136, (4.6, 4.6, 2.95, 90, 90, 90), (Site(22, "a", ()), Site(8, "f", (0.305,)))),
    AsymmetricUnit(62, (5.4, 7.6, 5.3, 90, 90, 90), (Site(38, "c", (0.03, 0.99)), Site(8, "d", (0.29, 0.03, 0.71)))),
    AsymmetricUnit(12, (11.0, 3.0, 6.0, 90, 112, 90), (Site(22, "i", (0.2, 0.4)), Site(3, "j", (0.1, 0.2, 0.3)))),
    AsymmetricUnit(2, (4.1, 5.2, 6.9, 77, 101, 68), (Site(22, "i", (0.1, 0.3, 0.8)), Site(8, "a", ()))),
]


def tiny_sites(folder: Path) -> Path:
    """The weights of a model that knows Li, O, Sr, Ti, in cells of up to 20 atoms."""
    recipe = read_recipe(
        {
            "name": "tiny-sites",
            "system": "sites",
            "data": {"max_atoms": 20},
            "network": {"dim": 16, "layers": 1, "edges": 8},
            "train": {"steps": 5, "batch_size": 12, "precision": "float32"},
            "sample": {"steps": 8, "corrector_steps": 0},
        }
    )
    Trainer(recipe, symmetric_batch(UNITS * 6), folder).run()
    return folder / WEIGHTS
