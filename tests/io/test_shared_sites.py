"""CIF files whose sites are shared, and what is said of those that cannot be ordered."""

import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.io.cif import CifWriter

from nucleate.errors import NucleateError
from nucleate.io.shared_sites import read_with_shared_sites


def written(folder, share):
    salt = Structure(Lattice.cubic(4), [{"Na": 0.5, "K": 0.5}, "Cl"], [(0, 0, 0), (0.5, 0.5, 0.5)])
    path = folder / "salt.cif"
    lines = str(CifWriter(salt)).splitlines()
    place = next(i for i, line in enumerate(lines) if line.split()[:1] == ["Na"])
    lines[place] = " ".join([*lines[place].split()[:-1], str(share)])
    path.write_text("\n".join(lines) + "\n")
    return path


def test_shared_sites_are_read_with_their_occupancies(tmp_path):
    (named,), (remark,) = read_with_shared_sites([written(tmp_path, 0.5)])
    assert named.structure[0].species.as_dict() == {"Na": 0.5, "K": 0.5}
    assert "its sites are shared" in remark.reason


def test_a_site_that_is_more_than_full_is_refused(tmp_path):
    with pytest.raises(NucleateError, match="one of its sites add up to more than 1; correct them"):
        read_with_shared_sites([written(tmp_path, 0.7)])
