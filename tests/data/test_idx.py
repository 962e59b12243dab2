"""IDX files: found, read whole, and every way of being wrong named."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest
from idx_files import write_idx

from lrlab import data
from lrlab.data import DataError, idx


@pytest.fixture
def images(tmp_path):
    """A folder like MNIST's: 20 train and 10 valid images of 28x28."""
    random = np.random.RandomState(0)
    for name, count in (("train", 20), ("t10k", 10)):
        pixels = random.randint(0, 256, (count, 28, 28)).astype(np.uint8)
        write_idx(tmp_path / f"{name}-images-idx3-ubyte.gz", pixels)
        write_idx(tmp_path / f"{name}-labels-idx1-ubyte.gz", np.arange(count, dtype=np.uint8) % 10)
    return tmp_path


def test_fashion_mnist_is_found_or_three_ways_are_named(images, monkeypatch):
    monkeypatch.setenv("LRLAB_DATA", str(images))
    found = data.load("fashion_mnist")
    assert found.shapes == {"train": ((20, 28, 28), (20,)), "valid": ((10, 28, 28), (10,))}
    assert found.train[0].dtype == np.float32 and found.train[0].max() <= 1
    assert data.load("fashion_mnist", path=str(images)).sha256 == found.sha256
    monkeypatch.delenv("LRLAB_DATA")
    monkeypatch.setattr(idx, "FOLDER", images / "nowhere")
    with pytest.raises(DataError, match=r"apt install.*LRLAB_DATA.*option path"):
        data.load("fashion_mnist")


def test_idx_cut_off_at_any_byte_is_named(tmp_path):
    array = np.arange(24, dtype=np.uint8).reshape(4, 6)
    for zipped in (True, False):
        path = tmp_path / "x"
        content = write_idx(path, array, zipped=zipped)
        assert np.array_equal(idx.read_idx(path)[0], array)
        for cut in range(len(content)):
            path.write_bytes(content[:cut])
            with pytest.raises(DataError, match="x: "):
                idx.read_idx(path)


def test_idx_wrong_contents(tmp_path):
    path = tmp_path / "x.gz"
    array = np.zeros((3, 3), np.int32)
    write_idx(path, array, tail=b"!")
    with pytest.raises(DataError, match="holds more than the"):
        idx.read_idx(path)
    write_idx(path, array)
    with pytest.raises(DataError, match="above the limit"):
        idx.read_idx(path, max_bytes=35)
    flipped = bytearray(write_idx(path, np.random.RandomState(0).randint(0, 9, (9, 9), np.int32)))
    flipped[len(flipped) // 2] ^= 0xFF
    path.write_bytes(flipped)
    with pytest.raises(DataError):
        idx.read_idx(path)
    # A bomb: 4 GiB declared by the header alone is refused before anything is unpacked.
    path.write_bytes(gzip.compress(struct.pack(">4B2I", 0, 0, 8, 2, 1 << 31, 1 << 3)))
    with pytest.raises(DataError, match="above the limit"):
        idx.read_idx(path)


def test_idx_labels_and_lengths(images):
    labels = images / "train-labels-idx1-ubyte.gz"
    write_idx(labels, np.arange(19, dtype=np.uint8) % 10)
    with pytest.raises(DataError, match="20 inputs but 19 targets"):
        data.load("fashion_mnist", path=images)
    write_idx(labels, np.full(20, 10, np.uint8))
    with pytest.raises(DataError, match=r"label 10 at row 0.*0 to 9"):
        data.load("fashion_mnist", path=images)
    labels.unlink()
    with pytest.raises(DataError, match="holds no train-labels"):
        data.load(f"idx:{images}")
