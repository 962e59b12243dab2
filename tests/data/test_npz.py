"""NumPy archives: read without pickle, and every way of being wrong named."""

from __future__ import annotations

import io
import os
import zipfile

import numpy as np
import pytest

from lrlab import data
from lrlab.data import DataError


def npz_file(path, **arrays):
    np.savez(path, **arrays)
    return f"npz:{path}"


def test_npz(tmp_path):
    x, y = np.arange(40.0).reshape(20, 2), np.arange(20) % 2
    spec = npz_file(tmp_path / "a.npz", x=x, y=y)
    assert data.load(spec).shapes == {"train": ((16, 2), (16,)), "valid": ((4, 2), (4,))}
    parts = dict(x_train=x, y_train=y, x_valid=x[:5], y_valid=y[:5], x_test=x[:3], y_test=y[:3])
    official = data.load(npz_file(tmp_path / "b.npz", **parts))
    assert {k: len(v[1]) for k, v in official.splits().items()} == dict(train=20, valid=5, test=3)


NPZ = {
    "objects": (dict(x=np.array([{}, 1], object), y=np.zeros(2, int)), "Python objects"),
    "text": (dict(x=np.array(["a", "b"]), y=np.zeros(2, int)), "needs numbers"),
    "nan": (dict(x=np.array([[1.0, np.nan]] * 3), y=np.zeros(3, int)), r"nan at row 0, position"),
    "lengths": (dict(x=np.zeros((3, 1)), y=np.zeros(2, int)), "3 inputs but 2 targets"),
    "empty": (dict(x=np.zeros((0, 1)), y=np.zeros(0, int)), "is empty"),
    "names": (dict(a=np.zeros(3), y=np.zeros(3)), "no array 'x'; it has a, y"),
    "complex": (dict(x=np.zeros(3, complex), y=np.zeros(3, int)), "needs numbers"),
}


@pytest.mark.parametrize("case", NPZ)
def test_npz_mistakes_are_named(case, tmp_path):
    arrays, message = NPZ[case]
    with pytest.raises(DataError, match=message):
        data.load(npz_file(tmp_path / "a.npz", **arrays))


def test_npz_labels(tmp_path):
    spec = npz_file(tmp_path / "a.npz", x=np.zeros((3, 1)), y=np.array([0, 0.5, 1]))
    with pytest.raises(DataError, match=r"0.5 at row 1.*not an integer"):
        data.load(spec, kind="classification")


def test_npz_is_never_unpickled(tmp_path):
    class Trap:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "sprung"),))

    spec = npz_file(tmp_path / "a.npz", x=np.array([Trap()], object), y=np.zeros(1, int))
    with pytest.raises(DataError, match="never unpickled"):
        data.load(spec)
    assert not (tmp_path / "sprung").exists()


def test_npz_damage_and_bombs(tmp_path):
    path = tmp_path / "a.npz"
    npz_file(path, x=np.zeros((3, 1)), y=np.zeros(3, int))
    content = path.read_bytes()
    for cut in range(0, len(content), 7):
        path.write_bytes(content[:cut])
        with pytest.raises(DataError):
            data.load(f"npz:{path}")
    np.savez_compressed(path, x=np.zeros((1000, 100)), y=np.zeros(1000, int))
    with pytest.raises(DataError, match="above the limit"):
        data.load(f"npz:{path}", max_bytes=100_000)
    # A header that declares more than the archive holds.
    head = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": (1 << 40,)}
    np.lib.format.write_array_header_1_0(head, header)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", head.getvalue() + b"\0" * 8)
    with pytest.raises(DataError, match="needs"):
        data.load(f"npz:{path}")


def test_npz_keeps_fortran_order(tmp_path):
    x = np.asfortranarray(np.arange(12.0).reshape(6, 2))
    spec = npz_file(tmp_path / "a.npz", x=x, y=np.arange(6) % 2)
    assert np.array_equal(data.load(spec, valid_fraction=0, scale="none").train[0], x)
