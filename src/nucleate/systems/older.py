"""Recipes of older versions. They had one table of settings for all systems, and `task` and `codec.kind` said which
system was meant.

Weights and run folders of these versions contain all settings, most of which belong to other systems and have their
default values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nucleate.errors import NucleateError

OF_TASK = {"formula": "formulas", "property": "property"}
OF_KIND = ("joint", "unimat", "compact", "sites")
TASKS = ("csp", "dng", *OF_TASK)

# The values of settings that a recipe did not set.
DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "codec": {
        "lattice": "log-metric",
        "num_elements": 100,
        "slots": 12,
        "periods": [],
        "groups": [],
        "species_scale": "atomic-number",
        "random_origin": False,
        "vocabulary": "main",
        "order": "set",
    },
    "diffusion": {
        "lattice_schedule": "cosine",
        "sigma_min": 0.005,
        "sigma_max": 0.5,
        "species": "given",
        "species_power": 1.0,
        "species_weight": 1.0,
        "words": "absorbing",
        "word_frequency": 0.3,
        "embedding_dim": 32,
        "lattice_sigma_max": 3.0,
    },
    "network": {
        "dim": 128,
        "layers": 6,
        "heads": 8,
        "pair_dim": 64,
        "frequencies": 12,
        "conditioning": "cds",
        "norm": "post",
        "attention": "relative",
        "self_conditioning": False,
        "distance": False,
        "composition": False,
        "condition_on": [],
        "kind": "sparse",
        "widths": [],
        "seen": 32,
        "predict": [],
        "edges": 20,
    },
    "train": {"condition_dropout": 0.1, "start_from": "", "adapter_rank": 0},
    "sample": {
        "steps": 200,
        "corrector_steps": 1,
        "corrector_size": 1e-5,
        "noise": 1.0,
        "sampler": "ancestral",
        "species_temperature": 1.0,
        "guidance": 1.5,
        "guidance_until": 0.0,
        "lattice_noise": 1.0,
    },
}
# Settings that recipes of some systems contained although they had no effect there.
WITHOUT_EFFECT = frozenset({("sample", "corrector_steps"), ("sample", "corrector_size")})
# (system, section, setting, value) -> settings of the section that have no effect if the setting has that value.
IDLE: Mapping[tuple[str, str, str, str], tuple[str, ...]] = {
    ("unimat", "network", "kind", "dense"): ("layers", "frequencies", "seen", "distance", "pair_dim"),
    ("unimat", "network", "kind", "sparse"): ("widths",),
    ("formulas", "diffusion", "words", "absorbing"): ("embedding_dim",),
    ("formulas", "diffusion", "words", "embedding"): ("word_frequency",),
}
SettingsOf = Callable[[str, str], frozenset[str]]  # (system, section) -> the settings that the section has


def updated_recipe(values: Mapping[str, Any], settings_of: SettingsOf, *, complete: bool) -> dict[str, Any]:
    """The tables of an older recipe in the form of the present version, with the name of its system.

    Settings that the system does not have stay, so that reading the recipe refuses them by name. complete: the recipe
    lists all settings, as the metadata of weights does; then settings without an effect on its system are left out,
    because these weights exist and must be loaded. Raises NucleateError for names that no version had.
    """
    out = {k: dict(v) if isinstance(v, Mapping) else v for k, v in values.items()}
    task, codec = out.get("task", "csp"), out.get("codec")
    kind = codec.pop("kind", "joint") if isinstance(codec, dict) else "joint"
    if task not in TASKS:
        raise NucleateError(f"'task' must be one of {', '.join(TASKS)}, not {task!r}")
    if kind not in OF_KIND:
        raise NucleateError(f"'codec.kind' must be one of {', '.join(OF_KIND)}, not {kind!r}")
    name = OF_TASK.get(task, kind)
    if not settings_of(name, "task"):
        out.pop("task", None)
    for section in [key for key, table in out.items() if isinstance(table, dict)]:
        own, old = settings_of(name, section), DEFAULTS.get(section, {})
        for key in set(out[section]) - own:
            if (section, key) in WITHOUT_EFFECT or (complete and key in old):
                del out[section][key]
        if not out[section] and not own:
            del out[section]
    for (system, section, key, value), idle in IDLE.items() if complete else ():
        if system == name and out.get(section, {}).get(key) == value:
            out[section] = {k: v for k, v in out[section].items() if k not in idle}
    return out | {"system": name}


def without_conditions(values: Any) -> Any:
    """The tables of an older recipe of a network that has neither conditions nor weights to start from.

    In older versions the training of all networks had settings for these; they are removed if they have their default
    values.
    """
    table = values.get("train") if isinstance(values, Mapping) else None
    if not isinstance(table, Mapping):
        return values
    old = DEFAULTS["train"]
    return {**values, "train": {k: v for k, v in table.items() if k not in old or v != old[k]}}
