"""Every stage of the package declares what an executor needs to know of it."""

import importlib
import inspect
import pkgutil
from typing import get_args

import pytest

import nucleate
from nucleate.pipeline.stage import Cost, Grain, Resource, Stage

PARTS = ("stages", "families", "language", "search", "tasks", "dft", "evaluate", "relaxation", "hull")


def stages():
    for part in PARTS:
        package = importlib.import_module(f"nucleate.{part}")
        for module in pkgutil.walk_packages(package.__path__, f"nucleate.{part}."):
            importlib.import_module(module.name)
    found, new = set(), {Stage}
    while new:
        new = {s for stage in new for s in stage.__subclasses__()} - found
        found |= new
    return sorted((s for s in found if s.__module__.startswith("nucleate.")), key=lambda s: s.__name__)


STAGES = stages()


def test_all_stages_are_found():
    assert len(STAGES) >= 17 and nucleate.__all__


@pytest.mark.parametrize("stage", STAGES, ids=lambda s: s.__name__)
def test_a_stage_declares_grain_cost_and_resource(stage):
    for name, kind in {"grain": Grain, "cost": Cost, "resource": Resource}.items():
        if name in vars(stage):
            assert vars(stage)[name] in get_args(kind)
        else:  # its values depend on the settings
            assert f"self.{name}" in inspect.getsource(stage.__init__), f"{stage.__name__} declares no {name}"
    assert stage.name and stage.__doc__
