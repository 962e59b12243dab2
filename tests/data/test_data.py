"""Data: every source gives what it promises, and every way of being wrong is named."""

from __future__ import annotations

import gzip
import io
import json
import os
import struct
import subprocess
import sys
import types
import zipfile

import numpy as np
import pytest

from lrlab import data
from lrlab.core import registry
from lrlab.data import DataError, bundled, idx
from lrlab.data.splits import split

pytestmark = pytest.mark.usefixtures("without_figures")

LOCAL = ["digits", "wine", "breast_cancer", "iris", "diabetes", "mnist1d", "chebyshev", "stdlib"]


def write_idx(path, array, cut=None, tail=b"", zipped=True):
    codes = {np.dtype("u1"): 8, np.dtype("i4"): 12}
    head = struct.pack(f">4B{array.ndim}I", 0, 0, codes[array.dtype], array.ndim, *array.shape)
    content = head + array.astype(array.dtype.newbyteorder(">")).tobytes() + tail
    content = gzip.compress(content, mtime=0) if zipped else content
    path.write_bytes(content[:cut])
    return content


@pytest.fixture
def images(tmp_path):
    """A folder like MNIST's: 20 train and 10 valid images of 28x28."""
    random = np.random.RandomState(0)
    for name, count in (("train", 20), ("t10k", 10)):
        pixels = random.randint(0, 256, (count, 28, 28)).astype(np.uint8)
        write_idx(tmp_path / f"{name}-images-idx3-ubyte.gz", pixels)
        write_idx(tmp_path / f"{name}-labels-idx1-ubyte.gz", np.arange(count, dtype=np.uint8) % 10)
    return tmp_path


@pytest.mark.parametrize("name", LOCAL)
def test_source_contract(name):
    first, again = data.load(name), data.load(name)
    assert first.sha256 == again.sha256 and len(first.sha256) == 64
    for key, (x, y) in first.splits().items():
        assert first.shapes[key] == (x.shape, y.shape) and len(x) == len(y) > 0
        assert np.isfinite(x).all() and np.isfinite(y).all()
        assert np.array_equal(x, again.splits()[key][0])
        if first.kind != "regression":
            assert y.dtype == np.int32 and 0 <= y.min() and y.max() < first.num_outputs
    assert first.license and json.loads(json.dumps(first.source))["sha256"] == first.sha256


def test_every_source_has_a_summary_and_options():
    for name in data.NAMES:
        assert isinstance(data.options(name), dict)
        assert registry.summary(data.REGISTRY, name).endswith(".")


def test_import_costs_neither_jax_nor_sklearn():
    code = (
        "import sys, lrlab.data as d; d.load('digits'); d.load('diabetes'); d.options('digits');"
        "assert not {'jax', 'sklearn', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("function", sorted(bundled._FILES))
def test_bundled_sets_are_what_scikit_learn_gives(function, monkeypatch):
    from sklearn import datasets

    options = {"scaled": False} if function == "load_diabetes" else {}
    x, y = getattr(datasets, function)(return_X_y=True, **options)
    read = bundled._load(function)
    monkeypatch.setitem(bundled._FILES, function, (("moved.csv",), 0))
    for got in (read, bundled._load(function)):  # from the file, and where it is elsewhere
        np.testing.assert_array_equal(got[0], x)
        np.testing.assert_array_equal(got[1], y)


def test_shapes_of_the_bundled_sets():
    sizes = {name: sum(len(y) for _, y in data.load(name).splits().values()) for name in LOCAL[:5]}
    assert sizes == dict(digits=1797, wine=178, breast_cancer=569, iris=150, diabetes=442)
    x = data.load("digits").train[0]
    assert x.shape[1:] == (64,) and x.min() == 0 and x.max() == 1
    assert data.load("digits", flat=False).train[0].shape[1:] == (8, 8)


def test_standardized_by_the_training_split():
    loaded = data.load("diabetes")
    x, y = loaded.train
    assert np.allclose(x.mean(0), 0, atol=1e-12) and np.allclose(x.std(0), 1)
    assert np.isclose(y.mean(), 0, atol=1e-12) and np.isclose(y.std(), 1)
    assert not np.allclose(loaded.valid[0].mean(0), 0, atol=1e-6)
    raw = data.load("diabetes", scale="none")
    assert np.allclose((raw.valid[1] - raw.train[1].mean()) / raw.train[1].std(), loaded.valid[1])


def test_constant_columns_become_zero(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b,y\n" + "".join(f"0.1,{i},{i % 2}\n" for i in range(20)))
    assert np.array_equal(data.load(f"csv:{path}").train[0][:, 0], np.zeros(16))


def test_split_is_stratified_disjoint_and_seeded():
    loaded = data.load("wine", valid_fraction=0.25, test_fraction=0.25, scale="none")
    everything = np.concatenate([x for x, _ in loaded.splits().values()])
    original = data.load("wine", valid_fraction=0, scale="none")
    assert original.valid is None
    key = np.lexsort(everything.T), np.lexsort(original.train[0].T)
    assert np.array_equal(everything[key[0]], original.train[0][key[1]])
    whole = np.bincount(original.train[1])
    for part in (loaded.valid, loaded.test):
        assert np.abs(np.bincount(part[1]) - whole / 4).max() <= 1
    other = data.load("wine", valid_fraction=0.25, split_seed=1, scale="none")
    assert not np.array_equal(other.valid[0], loaded.valid[0])


def test_limits_and_text_windows(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(bytes(range(101)))
    loaded = data.load("text:a.txt", root=tmp_path, context=10)
    x, y = loaded.train
    assert x.shape == (8, 10) and np.array_equal(y, x + 1) and loaded.valid[0][0, 0] == 80
    assert (
        data.load("text:a.txt", root=tmp_path, context=10, max_valid=1).shapes["valid"][0][0] == 1
    )
    assert data.load("digits", max_train=100).shapes["train"] == ((100, 64), (100,))


@pytest.mark.slow
def test_mnist1d_is_that_of_the_package(monkeypatch):
    # The package imports requests for a download that nothing here uses.
    monkeypatch.setitem(sys.modules, "requests", types.ModuleType("requests"))
    package = pytest.importorskip("mnist1d.data")
    theirs = package.make_dataset(package.get_dataset_args())
    ours = data.load("mnist1d")
    assert np.array_equal(ours.train[0], theirs["x"])
    assert np.array_equal(ours.valid[1], theirs["y_test"])


def test_chebyshev_closed_form():
    x, y = data.load("chebyshev").train
    assert len(x) == 20 and np.allclose(y, 8 * x[:, 0] ** 4 - 8 * x[:, 0] ** 2 + 1)


def test_fashion_mnist_is_found_or_three_ways_are_named(images, monkeypatch):
    monkeypatch.setenv("LRLAB_DATA", str(images))
    found = data.load("fashion_mnist")
    assert found.shapes == {"train": ((20, 28, 28), (20,)), "valid": ((10, 28, 28), (10,))}
    assert found.train[0].dtype == np.float32 and found.train[0].max() <= 1
    assert data.load("fashion_mnist", path=str(images)).sha256 == found.sha256
    monkeypatch.delenv("LRLAB_DATA")
    monkeypatch.setattr(idx, "FOLDER", images / "nowhere")
    with pytest.raises(DataError, match="apt install.*LRLAB_DATA.*option path"):
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
    path = tmp_path / "x"
    array = np.zeros((3, 3), np.int32)
    write_idx(path, array, tail=b"!")
    with pytest.raises(DataError, match="goes on after"):
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
    with pytest.raises(DataError, match="label 10 at row 0.*0 to 9"):
        data.load("fashion_mnist", path=images)
    labels.unlink()
    with pytest.raises(DataError, match="holds no train-labels"):
        data.load(f"idx:{images}")


CSV = {
    "ragged": ("a,b,y\n1,2,0\n1,0\n", r"t.csv:3: 2 cells where the table has 3"),
    "words": ("a,b,y\n1,2,0\n1,x,0\n", r"t.csv:3: column 'b' \(number 1\): 'x' is not a number"),
    "missing": ("a,b,y\n1,2,0\n1,,0\n", r"t.csv:3: column 'b'.*'' is not a number"),
    "nan": ("a,b,y\n1,2,0\nnan,2,0\n", r"t.csv:3: column 'a'.*not a finite number"),
    "inf": ("a,b,y\n1,-inf,0\n", r"t.csv:2: column 'b'.*not a finite number"),
    "empty": ("", "is empty"),
    "header only": ("a,b,y\n", "no rows"),
    "one column": ("y\n1\n2\n", "one column"),
    "negative": ("a,y\n1,0\n1,-1\n", "label -1 at row 1"),
    "many classes": ("a,y\n1,0\n1,70\n", 'kind = "regression"'),
    "bad first row": ("1,2,x,0\n1,2,3,1\n", "t.csv:1: column '2'.*'x' is not a number"),
    "quote": ('a,y\n"1,0\n', "not a CSV file"),
}


@pytest.mark.parametrize("case", CSV)
def test_csv_mistakes_are_named(case, tmp_path):
    text, message = CSV[case]
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        data.load(f"csv:{tmp_path / 't.csv'}")


def test_csv_targets(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,y,b\n" + "".join(f"{i},{i % 3},{i / 2}\n" for i in range(12)))
    assert data.load(f"csv:{path}", target="y").num_classes == 3
    assert data.load(f"csv:{path}", target=1, kind="regression").num_outputs == 1
    assert data.load(f"csv:{path}").kind == "regression"
    with pytest.raises(DataError, match="label 2 at row 2.*0 to 1"):
        data.load(f"csv:{path}", target="y", num_classes=2)
    with pytest.raises(DataError, match="no column 'z'.*a, y, b"):
        data.load(f"csv:{path}", target="z")
    path.write_bytes(b"a,y\n\xff\xfe,1\n")
    with pytest.raises(DataError, match="not UTF-8"):
        data.load(f"csv:{path}")


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
    with pytest.raises(DataError, match="0.5 at row 1.*not an integer"):
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


@pytest.mark.parametrize(
    ("spec", "options", "message"),
    [
        ("digit", {}, "did you mean 'digits'"),
        ("digits", {"flatt": True}, "did you mean 'flat'"),
        ("digits:x", {}, "nothing after a colon"),
        ("csv", {}, "needs a path"),
        ("csv:/nowhere.csv", {}, "no such file"),
        ("text:/nowhere.txt", {}, "no such file"),
        ("npz:/nowhere.npz", {}, "no such file"),
        ("idx:/nowhere-images-idx3-ubyte", {}, "no such file"),
        ("iris", {"valid_fraction": 1.0}, "valid_fraction"),
        ("iris", {"valid_fraction": 0.6, "test_fraction": 0.5}, "nothing to train on"),
        ("iris", {"scale": "unit"}, "scale must be"),
        ("iris", {"max_train": 0}, "max_train"),
        ("iris", {"split_seed": -1}, "split_seed"),
        ("stdlib", {"context": 0}, "context"),
        ({"path": "x"}, {}, "needs a name"),
    ],
)
def test_wrong_requests_are_named(spec, options, message):
    with pytest.raises(DataError, match=message):
        data.load(spec, **options)


@pytest.mark.parametrize(
    ("spec", "module"), [("hf:x", "datasets"), ("tfds:x", "tensorflow_datasets")]
)
def test_extras_that_are_missing_are_named(spec, module, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(DataError, match=rf"install lrlab\[{spec[:-2]}\]"):
        data.load(spec)


def test_hub_data_and_no_network(monkeypatch):
    fake = types.ModuleType("datasets")

    class Part(dict):
        column_names = ["image", "label"]

    part = Part(image=[np.full((2, 2), i, np.uint8) for i in range(8)], label=[0, 1] * 4)
    fake.__version__ = "0"
    fake.load_dataset = lambda name, subset: {"train": part, "validation": part}
    monkeypatch.setitem(sys.modules, "datasets", fake)
    loaded = data.load("hf:some/thing")
    assert loaded.shapes["valid"] == ((8, 2, 2), (8,)) and loaded.num_classes == 2

    def unreachable(name, subset):
        raise ConnectionError("no route")

    fake.load_dataset = unreachable
    with pytest.raises(DataError, match="cannot reach.*looked in.*offline sources: digits"):
        data.load("hf:some/thing")


def test_split_holds_out_at_least_one():
    raw = data.Raw(
        {"train": (np.zeros((5, 1)), np.zeros(5, np.int32))}, "classification", "", {}, ""
    )
    assert len(split(raw, 0.01, 0.0, 0)["valid"][1]) == 1


def test_examples_with_several_labels_are_split_at_random(tmp_path):
    path = tmp_path / "mine.npz"
    y = np.random.default_rng(0).integers(0, 2, (30, 3))
    np.savez(path, x=np.arange(90.0).reshape(30, 3), y=y)
    found = data.load({"name": f"npz:{path}"})
    assert found.train[1].shape[1:] == (3,) and len(found.train[1]) + len(found.valid[1]) <= 30


def test_numbers_whose_variance_overflows_are_refused(tmp_path):
    path = tmp_path / "mine.npz"
    x = np.full((30, 3), 1e308)
    x[::2] *= -1
    np.savez(path, x=x, y=np.arange(30) % 3)
    with pytest.raises(DataError, match="1e[+]308 cannot be brought to mean 0"):
        data.load({"name": f"npz:{path}"})
    assert np.isfinite(data.load({"name": f"npz:{path}", "scale": "none"}).train[0]).all()
