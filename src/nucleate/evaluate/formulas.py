"""Reading texts that should be formulas, from files, datasets and recipes."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.chem.composition import Formula
from nucleate.chem.elements import SYMBOLS, element_symbol
from nucleate.chem.formula import parse_strict
from nucleate.errors import NucleateError
from nucleate.evaluate.inputs import SKIPPED, is_dataset
from nucleate.io.cells import unescaped
from nucleate.io.csvs import separator_of

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = ("formula", "composition", "pretty_formula")


def formula_key(text: str) -> Formula | None:
    """The reduced formula of a text, None if it is no formula."""
    try:
        return Formula.of(parse_strict(text))
    except NucleateError:
        return None


def key_text(key: Sequence[tuple[str, int]]) -> str:
    """A readable text of (element, count) pairs, in their order and not reduced: "O6Sr2Ti2"."""
    return "".join(s if n == 1 else f"{s}{n}" for s, n in key)


@dataclass(frozen=True)
class Formulas:
    """Texts in the order of their source, one for each line or row. reasons: index -> why there is no text (it is "").

    notes: what has to be said about the source."""

    name: str
    texts: tuple[str, ...]
    reasons: Mapping[int, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.texts)


def read_formulas(source: str | Path, column: str | None = None) -> Formulas:
    """Formulas of a data set ("mp-20:test"); of a recipe, those it trains on or holds out ("x.toml", "x.toml:held"); of
    a text file (one a line, empty lines count), of CSV, JSON, JSON lines or parquet with a column `formula`,
    `composition` or `pretty_formula` (or the one named); or of structures in any file or folder `nucleate.io` reads.

    What cannot be read keeps its place, with its reason. Raises NucleateError for a missing, empty or binary file, a
    column that is not there and where nothing at all can be read.
    """
    recipe, _, part = str(source).partition(".toml")
    if part in (":held", "") and str(source) != recipe:
        return _of_recipe(Path(f"{recipe}.toml"), held_out=bool(part))
    path = Path(source)
    if not path.exists() and column is None and is_dataset(source):
        from nucleate.data.tables import read_table, table_file

        file, notes = table_file(str(source))
        return dataclasses.replace(_of_table(str(source), read_table(file), None), notes=notes)
    if not path.exists():
        raise NucleateError(f"no file, folder or data set {source}")
    if path.is_dir():
        return _of_structures(path)
    if path.stat().st_size == 0:
        raise NucleateError(f"{path} is empty")
    kind = path.suffix.lower()
    if kind == ".parquet":
        return _of_parquet(path, column)
    if kind == ".csv":
        return _of_csv(path, column)
    if kind in (".json", ".jsonl"):
        return _of_json(path, column)
    from nucleate.io.formats import reader_of

    if column is not None:
        raise NucleateError(f"{path} is no table (.csv, .json, .jsonl, .parquet): it has no column '{column}'")
    if reader_of(path) is not None:
        return _of_structures(path)
    return Formulas(path.name, tuple(_lines(path)))


def _of_recipe(path: Path, held_out: bool) -> Formulas:
    from nucleate.systems import load_recipe, prepare_for, system_of

    recipe = load_recipe(path)
    source = system_of(recipe).data
    if held_out and source.held_out is None:
        raise NucleateError(f"{path}: a recipe of {recipe.system} does not say what is held out of training")
    batch, summary = source.held_out(recipe) if held_out and source.held_out else prepare_for(recipe)
    rows = (Counter(z for z in row if z) for row in batch.atomic_numbers.tolist())
    texts = tuple(key_text(tuple((element_symbol(z), n) for z, n in row.items())) for row in rows)
    return Formulas(f"{path.stem} {'held out' if held_out else 'training'}", texts, notes=(str(summary),))


def _text(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise NucleateError(f"{path} is not a text file ({error.reason} at byte {error.start})") from None
    except OSError as error:
        raise NucleateError(f"cannot read {path} ({error.strerror})") from None
    if "\0" in text:
        raise NucleateError(f"{path} is not a text file (it holds zero bytes)")
    if not text:
        raise NucleateError(f"{path} is empty")
    return text


def _lines(path: Path) -> list[str]:
    return _text(path).removesuffix("\n").split("\n")  # splitlines would also cut at rare control characters


def _choose(wanted: str | None, present: Sequence[str], where: str, structures: Iterable[str] = ()) -> str | None:
    """The column that holds formulas, or None where no column does but one holds structures."""
    names = (wanted,) if wanted else COLUMNS
    found = next((c for n in names for c in present if c.strip().lower() == n.lower()), None)
    if found is None and (wanted or not set(structures) & set(present)):
        shown = ", ".join(c for c in present if c)[:300] or "none"
        raise NucleateError(f"{where} has no column {' or '.join(repr(n) for n in names)}; the columns are: {shown}")
    return found


def _of_csv(path: Path, column: str | None) -> Formulas:
    limit = csv.field_size_limit(2**31 - 1)  # a CIF beside the formula may be longer than the default 128 kB
    text = _text(path)
    separator = separator_of(text.partition("\n")[0], (column.lower(),) if column else COLUMNS)
    try:
        rows = [[unescaped(c) for c in row] for row in csv.reader(StringIO(text), delimiter=separator)]
    except csv.Error as error:
        raise NucleateError(f"{path} is not CSV ({error})") from None
    finally:
        csv.field_size_limit(limit)
    header = rows[0]
    found = _choose(column, header, str(path), ("cif", "structure"))
    if found is None:
        return _of_structures(path)
    if header.count(found) > 1:
        raise NucleateError(f"{path}: two columns are called '{found}'; which one is meant? rename or remove one")
    index = header.index(found)
    body = [r for r in rows[1:] if r or len(header) == 1]  # an empty line is a row only where rows have one field
    if not body:
        raise NucleateError(f"{path} has a header and no rows")
    return _collect(path.name, [r[index] if index < len(r) else None for r in body], "the row ends before its formula")


def _of_json(path: Path, column: str | None) -> Formulas:
    records: list[Any] = []
    broken: dict[int, str] = {}
    if path.suffix.lower() == ".json":
        try:
            loaded = json.loads(_text(path))
        except (ValueError, RecursionError) as error:
            raise NucleateError(f"{path} is not JSON ({error})") from None
        records = loaded if isinstance(loaded, list) else [loaded]
    else:
        for line in _lines(path):
            if not line.strip():
                continue
            try:
                records.append(json.loads(line))
            except (ValueError, RecursionError):
                broken[len(records)] = "not JSON"
                records.append(None)
    tables = [r for r in records if isinstance(r, Mapping)]
    if not tables and not any(isinstance(r, str) for r in records):
        raise NucleateError(f"{path} holds no JSON record with a formula")
    present = list(dict.fromkeys(str(k) for r in tables for k, v in r.items() if v is not None))
    found = _choose(column, present, str(path), ("structure", "lattice")) if tables else None
    if tables and found is None:
        return _of_structures(path)
    values = [r if isinstance(r, str) else _written(r.get(found)) if isinstance(r, Mapping) else None for r in records]
    return _collect(path.name, values, "no formula", broken)


def _written(value: Any) -> Any:
    """A composition in a candidate's record (element -> atoms) written as a formula; any other value as it is."""
    return key_text(tuple(value.items())) if isinstance(value, Mapping) and value else value


def _of_parquet(path: Path, column: str | None) -> Formulas:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        present = file.schema_arrow.names
        found = _choose(column, present, str(path), ("atomic_numbers",))
        wanted = [c for c in ("atomic_numbers", found) if c in present and not (column and c != found)]
        table = file.read(columns=wanted)
    except (pa.ArrowException, OSError) as error:
        raise NucleateError(f"{path} is not parquet, or damaged ({str(error).splitlines()[0]})") from None
    return _of_table(path.name, table, column)


def _of_table(name: str, table: pa.Table, column: str | None) -> Formulas:
    """The formulas of a table: from the atoms of each row, which are exact, or else from its formula."""
    if not table.num_rows:
        raise NucleateError(f"{name} has no rows")
    present = table.column_names
    found = _choose(column, present, name, ("atomic_numbers",))
    texts: list[Any] = table.column(found).to_pylist() if found else [None] * table.num_rows
    if column is None and "atomic_numbers" in present:
        for i, numbers in enumerate(table.column("atomic_numbers").to_pylist()):
            if numbers and all(1 <= z <= len(SYMBOLS) for z in numbers):
                texts[i] = key_text(tuple(Counter(map(element_symbol, numbers)).items()))
    return _collect(name, texts, "no atoms and no formula")


def _collect(name: str, values: Sequence[Any], absent: str, reasons: Mapping[int, str] | None = None) -> Formulas:
    why = {i: absent if v is None else "not a text" for i, v in enumerate(values) if not isinstance(v, str)}
    texts = tuple(v if isinstance(v, str) else "" for v in values)
    if len(why) == len(texts):
        raise NucleateError(f"{name} holds no formula ({next(iter((reasons or why).values()), absent)})")
    return Formulas(name, texts, {**why, **(reasons or {})})


def _of_structures(path: Path) -> Formulas:
    from nucleate.crystal.convert import species_numbers
    from nucleate.io import Named, read_items

    texts: list[str] = []
    reasons: dict[int, str] = {}
    skipped = 0
    for item in read_items([path]):
        if isinstance(item, Named):
            texts.append(
                key_text(tuple(Counter(element_symbol(int(z)) for z in species_numbers(item.structure)).items()))
            )
        elif item.reason == SKIPPED:
            skipped += 1
        else:
            reasons[len(texts)] = item.reason
            texts.append("")
    if len(reasons) == len(texts):
        raise NucleateError(f"no crystal can be read from {path} ({next(iter(reasons.values()), 'nothing in it')})")
    notes = (f"{skipped:,} files that hold no structures were passed over",) if skipped else ()
    return Formulas(path.name, tuple(texts), reasons, notes)
