"""Places are looked at before the work; what a killed writer left is cleared by whoever has the lock."""

import os

import pytest

from nucleate.errors import NucleateError
from nucleate.files import check_ending, check_writable, replacing, sweep


def test_places_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for path, folder, said in [
        (tmp_path / "file", True, "is a file; choose a folder"),
        (tmp_path, False, "is a folder; choose a file"),
        (tmp_path / "file" / "x" / "y.csv", False, "file is a file, not a folder"),
        (tmp_path / "link", True, "is a link to .*nowhere, which is not there"),
    ]:
        with pytest.raises(NucleateError, match=said):
            check_writable(path, folder)
    with pytest.raises(NucleateError, match=r"--out must end in .csv or .svg, not in '.foo'"):
        check_ending(tmp_path / "x.foo", (".csv", ".svg"))


def test_looking_leaves_nothing(tmp_path):
    check_writable(tmp_path / "a" / "b" / "c.csv")
    check_writable(tmp_path / "a" / "b", folder=True)
    check_ending(tmp_path / "x.CSV", (".csv",))
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said_before_the_work(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.touch", full)
    with pytest.raises(NucleateError, match="No space left on device; free some space"):
        check_writable(tmp_path / "x.csv")


def test_the_file_behind_a_link_is_replaced_and_not_the_link(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "x").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "x")
    with replacing(tmp_path / "link") as temporary:
        temporary.write_text("new")
    assert os.path.islink(tmp_path / "link") and (tmp_path / "disk" / "x").read_text() == "new"
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["disk", "link", "x"]


def test_two_writers_have_two_temporary_names_and_only_such_names_are_cleared(tmp_path):
    with replacing(tmp_path / "x") as first, replacing(tmp_path / "x") as second:
        assert first != second
        for path in (first, second):
            path.write_text("")
    (tmp_path / ".x.0123abcd.part").write_text("left by a kill")
    (tmp_path / ".y.0123abcd.part").mkdir()
    for name in (".x.part", "x.0123abcd.part", ".x.download.part", "important.part"):
        (tmp_path / name).write_text("of others")
    sweep(tmp_path, ["x"])
    assert not (tmp_path / ".x.0123abcd.part").exists() and (tmp_path / ".y.0123abcd.part").exists()
    sweep(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        ".x.download.part",
        ".x.part",
        "important.part",
        "x",
        "x.0123abcd.part",
    ]
