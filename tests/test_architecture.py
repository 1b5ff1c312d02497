"""The picture of the house in docs/architecture.md, held against the imports."""

import ast
import subprocess
import sys
from collections import Counter, defaultdict
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "src" / "nucleate"

# A part may import the parts on lower floors, and its own floor. `engine` is passed in from outside.
FLOORS = [
    {"errors", "lazy", "files", "locks", "parallel", "plugins", "redact"},
    {"settings"},
    {"config", "crystal", "chem"},
    {"diffusion", "io"},
    {"codecs", "data", "library", "retrieval"},
    {"nets"},
    {"systems"},
    {"train"},
    {"generators", "orderings"},
    {"pipeline"},
    {"potentials"},
    {"relaxation", "hull", "reference"},
    {"store", "testing", "engine"},
    {"families", "request", "language", "stages"},
    {"dft"},
    {"evaluate"},
    {"report"},
    {"search", "tasks"},
    {"api"},
    {"cli"},
]
FLOOR = {part: i for i, floor in enumerate(FLOORS) for part in floor}
FILES = sorted(p for p in ROOT.rglob("*.py") if p.name not in ("__main__.py",) and p != ROOT / "__init__.py")


def part_of(module: str) -> str:
    return module.split(".")[1] if module.count(".") else ""


def imports(path: Path) -> set[str]:
    out = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("nucleate"):
            out |= {node.module} if node.module != "nucleate" else {f"nucleate.{a.name}" for a in node.names}
        if isinstance(node, ast.Import):
            out |= {a.name for a in node.names if a.name.startswith("nucleate")}
    return out


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_down(path):
    parts = path.relative_to(ROOT).parts
    own = parts[0].removesuffix(".py")
    assert own in FLOOR, f"{own} is not in the picture; add it to docs/architecture.md and here"
    for module in imports(path):
        other = part_of(module)
        assert FLOOR[other] <= FLOOR[own], f"{'/'.join(parts)} imports {module}, which is above it"


MODULES = {
    ".".join(("nucleate", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in ROOT.rglob("*.py")
}
MOST_FILES = 34  # in one folder
SECTIONS = {"CodecConfig", "DiffusionConfig", "NetworkConfig", "SampleConfig"}


def runtime_imports(path: Path) -> set[str]:
    """The modules of nucleate that a file imports when it runs, within functions too; not what types alone need."""

    def visit(node: ast.AST) -> set[str]:
        out: set[str] = set()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
                continue
            if isinstance(child, ast.ImportFrom) and (child.module or "").startswith("nucleate"):
                names = {f"{child.module}.{a.name}" for a in child.names}
                out |= {name if name in MODULES else child.module for name in names}
            elif isinstance(child, ast.Import):
                out |= {a.name for a in child.names if a.name in MODULES}
            out |= visit(child)
        return out

    return visit(ast.parse(path.read_text()))


def test_no_file_imports_itself_by_way_of_others():
    graph = {module: runtime_imports(path) - {module} for module, path in MODULES.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_no_folder_holds_more_than_one_can_look_over():
    sizes = Counter(path.parent for path in ROOT.rglob("*.py"))
    assert {str(folder.relative_to(ROOT)): n for folder, n in sizes.items() if n > MOST_FILES} == {}


def test_two_classes_never_have_one_name():
    """But the sections of recipes, which each system has under the same names."""
    homes = defaultdict(list)
    for module, path in MODULES.items():
        for node in ast.parse(path.read_text()).body:
            shared = module.startswith("nucleate.systems.") and getattr(node, "name", "") in SECTIONS
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and not shared:
                homes[node.name].append(module)
    assert {name: where for name, where in homes.items() if len(where) > 1} == {}


def test_the_pipeline_imports_no_engine():
    for path in (ROOT / "pipeline").rglob("*.py"):
        assert not any(part_of(m) == "engine" for m in imports(path)), path


def test_doors_of_earlier_versions_are_still_there():
    from nucleate.pipeline.corrections import mp2020_correction
    from nucleate.request.parse import parse_request
    from nucleate.search import request

    assert request.parse_request is parse_request
    assert mp2020_correction.__doc__


def test_import_is_light():
    heavy = ("torch", "pymatgen", "ase", "chgnet", "smact", "pyarrow", "pandas", "jinja2", "scipy")
    code = f"import sys, nucleate, nucleate.cli.main; print([m for m in {heavy} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_every_public_name_is_there():
    import nucleate

    for name in nucleate.__all__:
        assert getattr(nucleate, name).__doc__, name
    assert 10 <= len(nucleate.__all__) <= 30  # a function for each command that takes crystals, and its nouns
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        nucleate.nothing  # noqa: B018


def test_provenance_is_for_people_and_never_read_back():
    """What code needs of a candidate has a typed field; only `Candidate` itself merges and writes its provenance."""
    for path in FILES:
        if path != ROOT / "pipeline" / "candidate.py":
            read = [n.lineno for n in ast.walk(ast.parse(path.read_text()))
                    if isinstance(n, ast.Attribute) and n.attr == "provenance"]  # fmt: skip
            assert not read, f"{path} reads the provenance of a candidate in lines {read}"


def test_no_pickle_no_exec():
    for path in FILES:
        text = path.read_text()
        assert "import pickle" not in text and "torch.load(" not in text and "exec(" not in text, path


def names_in(path: Path) -> set[str]:
    """What a module defines or imports anywhere, and the names that it offers lazily."""
    out: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            out.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            out |= {a.asname or a.name for a in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            out.add(node.id)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            out.add(node.value)
    return out


@pytest.mark.parametrize("folder", ["benchmarks", "scripts", "examples"])
def test_what_stands_beside_the_package_imports_names_that_there_are(folder):
    missing = []
    for path in (ROOT.parent.parent / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "nucleate":
                known = names_in(MODULES[node.module]) if node.module in MODULES else set()
                names = [a.name for a in node.names if f"{node.module}.{a.name}" not in MODULES]
                missing += [f"{path.name}: {node.module}.{name}" for name in names if name not in known]
    assert missing == []
