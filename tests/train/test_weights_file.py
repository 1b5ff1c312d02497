"""Damaged weights give one line that names the file; no file loads other numbers than were written."""

import json
import random
import struct

import pytest
import torch

from nucleate.crystal.batch import CrystalBatch
from nucleate.errors import NucleateError
from nucleate.generators import load_generator, read_info
from nucleate.systems.joint import DiffusionConfig, JointRecipe, NetworkConfig
from nucleate.systems.recipe import ConditionalTraining
from nucleate.train.loop import WEIGHTS, Trainer
from nucleate.train.oxidation import load_oxidation
from nucleate.train.similarity import load_similarity
from nucleate.train.weights_file import METADATA_SHA256, TENSORS_SHA256, load_tensors, save_tensors

RECIPE = JointRecipe(
    name="tiny",
    task="dng",
    diffusion=DiffusionConfig(species="uniform"),
    network=NetworkConfig(dim=16, layers=1, heads=2, pair_dim=8, frequencies=2, condition_on=("gap",)),
    train=ConditionalTraining(steps=1, batch_size=16, warmup=1),
)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    g = torch.Generator().manual_seed(0)
    z = torch.randint(1, 30, (40, 6), generator=g)
    lattice = torch.eye(3) * 5 + torch.rand(40, 3, 3, generator=g)
    data = CrystalBatch(lattice, torch.rand(40, 6, 3, generator=g), z)
    Trainer(RECIPE, data.with_properties({"gap": torch.rand(40, generator=g)}), folder, "cpu").run()
    return folder / WEIGHTS


def parts(data):
    n = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8 : 8 + n]), data[8 + n :]


def joined(header, body):
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + body


def places(x, path=()):
    if path:
        yield path
    children = x.items() if isinstance(x, dict) else enumerate(x) if isinstance(x, list) else ()
    for k, v in children:
        yield from places(v, (*path, k))


def changed(text, rng):
    """JSON with one of its values replaced, or left out."""
    values = json.loads(text)
    *path, last = rng.choice(list(places(values)))
    inner = values
    for k in path:
        inner = inner[k]
    new = rng.choice(["delete", None, "x", 0, 7, 3.5, [1], {}, 10**9, -3, float("nan")])
    if new == "delete":
        del inner[last]
    else:
        inner[last] = new
    return json.dumps(values)


def mutated(data, rng, hashes):
    header, body = parts(data)
    metadata = header["__metadata__"]
    if not hashes:
        del metadata[TENSORS_SHA256], metadata[METADATA_SHA256]
    kind = rng.choice(["recipe", "info", "metadata", "header", "tensor", "cut"])
    if kind in ("recipe", "info"):
        metadata[kind] = changed(metadata[kind], rng)
    elif kind == "metadata":
        key = rng.choice(list(metadata))
        metadata.update({key: rng.choice(["", "[1,2", metadata[key][:-9]])})
        if rng.random() < 0.3:
            del metadata[key]
    elif kind == "header":
        key = rng.choice([k for k in header if k != "__metadata__"])
        what = rng.choice(["name", "shape", "dtype", "none"])
        entry = header.pop(key)
        changes = {"shape": [*entry["shape"], 1]} if what == "shape" else {"dtype": "I32"} if what == "dtype" else {}
        if what != "none":
            header[key + ("x" if what == "name" else "")] = entry | changes
    elif kind == "tensor":
        place = 4 * rng.randrange(len(body) // 4)
        body = body[:place] + struct.pack("<f", rng.choice([float("nan"), float("inf"), 0.5])) + body[place + 4 :]
    return joined(header, body)[: rng.randrange(len(data)) if kind == "cut" else None]


@pytest.mark.parametrize("hashes", [True, False])
def test_damaged_weights_are_one_line_and_with_hashes_none_loads(weights, tmp_path, hashes):
    data, rng = weights.read_bytes(), random.Random(7)
    same = parts(data)
    loaded = 0
    for i in range(120):
        file = tmp_path / f"damaged-{i}.safetensors"
        file.write_bytes(mutated(data, rng, hashes))
        try:
            load_generator(file)
        except NucleateError as error:
            assert file.name in str(error) and "\n" not in str(error), error
        else:
            loaded += parts(file.read_bytes()) != same
        file.unlink()
    assert loaded == 0 if hashes else loaded < 60  # without hashes a plausible number cannot be told from another


def test_weights_without_hashes_are_refused_where_they_make_no_sense(weights, tmp_path):
    tensors, metadata = load_tensors(weights)
    info = json.loads(metadata["info"])
    file = tmp_path / "old.safetensors"
    for words, values in (
        ("'lattice_std' are not finite", {"lattice_std": [0.0] * 6}),
        ("'lattice_std' are not finite", {"lattice_mean": [0.0] * 5}),
        ("'lattice_mean' must be float", {"lattice_mean": [None] * 6}),
        ("not a sorted list of atomic numbers", {"elements": [8, 3]}),
        ("has the atomic number 300", {"elements": [8, 300]}),
        ("is empty, negative or zero everywhere", {"num_atoms_counts": [0, 0]}),
        (
            "counts of cell sizes that are negative or not for 0 to",
            {"num_atoms_counts": [*info["num_atoms_counts"], 1]},
        ),
        ("has no statistics of 'gap'", {"properties": {}}),
        ("unknown key 'colour'", {"colour": "red"}),
    ):
        save_tensors(file, tensors, metadata | {"info": json.dumps(info | values)})
        with pytest.raises(NucleateError, match=words) as refused:
            read_info(file)
        assert "old.safetensors" in str(refused.value)
    first = next(iter(tensors))
    for words, given in (
        ("holds values that are not finite", tensors | {first: tensors[first] * float("nan")}),
        (f"no tensor '{first}'", {k: v for k, v in tensors.items() if k != first}),
        ("an unknown tensor 'more'", tensors | {"more": torch.ones(3)}),
        (rf"'{first}' is \(.*\), not \(", tensors | {first: torch.ones(3, 5)}),
        (f"'{first}' holds torch.int64, not floating-point numbers", tensors | {first: tensors[first].long()}),
        ("of several types, float16 and float32", tensors | {first: tensors[first].half()}),
    ):
        save_tensors(file, given, metadata)
        with pytest.raises(NucleateError, match=words):
            load_generator(file)


@pytest.mark.parametrize("size", ["dim", "layers", "pair_dim", "heads"])
def test_a_damaged_size_does_not_fill_the_memory(weights, tmp_path, size):
    tensors, metadata = load_tensors(weights)
    recipe = json.loads(metadata["recipe"])
    recipe["network"][size] = 2**40
    save_tensors(tmp_path / "large.safetensors", tensors, metadata | {"recipe": json.dumps(recipe)})
    with pytest.raises(NucleateError, match="large.safetensors does not fit its own recipe"):
        load_generator(tmp_path / "large.safetensors")


@pytest.mark.parametrize("load", [load_oxidation, load_similarity])
def test_damaged_networks_of_other_kinds_are_refused_too(weights, tmp_path, load):
    kind = "oxidation" if load is load_oxidation else "similarity"
    file = tmp_path / "x.safetensors"
    for metadata in ({}, {"recipe": "{}"}, {"recipe": "{}", "info": "[]"}, {"recipe": "[", "info": "{}"}):
        save_tensors(file, {"a": torch.ones(2)}, {"nucleate": "1", "kind": kind} | metadata)
        with pytest.raises(NucleateError, match=r"x\.safetensors"):
            load(file)
    with pytest.raises(NucleateError, match="holds no network of"):
        load(weights)
