"""Paths stay under the root, and files are whole or absent."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geolocate.errors import StorageError
from geolocate.storage import DataRoot, atomic_write, read_json, safe_name, write_all, write_json


@given(st.text(max_size=120))
def test_a_name_either_is_refused_or_stays_a_direct_child_of_its_folder(name):
    try:
        folder = DataRoot(Path("/root")).collection(name)
    except StorageError:
        return
    assert os.path.normpath(folder) == f"/root/collections/{name}"


@pytest.mark.parametrize("name", ["", "..", "a/b", "../up", "a\\b", "a b", ".hidden", "x" * 101, "a..b", "a\n"])
def test_names_that_could_leave_the_root_are_refused_with_what_is_allowed(name):
    with pytest.raises(StorageError, match="letters, digits"):
        safe_name(name)


@pytest.mark.parametrize("sha256", ["../../etc/passwd", "ab", "A" * 64])
def test_an_image_hash_from_a_damaged_manifest_reaches_no_file(sha256):
    with pytest.raises(StorageError, match="manifest is damaged"):
        DataRoot(Path("/root")).image(sha256)


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "file.json"
    write_json(path, {"old": 1})
    with pytest.raises(RuntimeError), atomic_write(path) as file:  # noqa: PT012 - the write is what fails
        file.write(b"half")
        raise RuntimeError
    assert read_json(path) == {"old": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.json"]


def test_a_killed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "file.json"
    write_json(path, {"old": 1})
    code = (
        "import os, signal, sys; from pathlib import Path; from geolocate.storage import atomic_write\n"
        "with atomic_write(Path(sys.argv[1])) as file:\n"
        "    file.write(b'half'); file.flush(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == -9
    assert read_json(path) == {"old": 1}


def test_a_disk_that_takes_no_more_is_one_line_that_says_what_to_do(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    import signal

    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(StorageError, match="cannot write"), atomic_write(tmp_path / "large") as file:
            file.write(bytes(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, previous)
    assert list(tmp_path.iterdir()) == []


def test_json_is_stable_to_the_byte(tmp_path):
    write_json(tmp_path / "a", {"b": 1, "a": [1.5, None]})
    write_json(tmp_path / "b", {"a": [1.5, None], "b": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_missing_and_a_damaged_json_file_say_what_to_do(tmp_path):
    with pytest.raises(StorageError, match="has not finished"):
        read_json(tmp_path / "absent")
    (tmp_path / "damaged").write_text("{")
    with pytest.raises(StorageError, match="delete it and run"):
        read_json(tmp_path / "damaged")


@pytest.mark.parametrize("write", [lambda path: write_json(path, 1), lambda path: write_all({path: b"1"})])
def test_the_names_of_new_folders_and_of_the_file_are_flushed_to_disk(tmp_path, monkeypatch, write):
    """A power failure cannot be had here: what is looked at is which folders the system was told to flush."""
    flushed, flush = [], os.fsync

    def watched(handle):
        flushed.append(str(Path(f"/proc/self/fd/{handle}").readlink()))
        flush(handle)

    monkeypatch.setattr(os, "fsync", watched)
    write(tmp_path / "a" / "b" / "file")
    for folder in (tmp_path, tmp_path / "a", tmp_path / "a" / "b"):
        assert str(folder) in flushed
