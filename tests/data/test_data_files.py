"""Files as people have them: every array, column and split is used, or refused by its name."""

from __future__ import annotations

import sys
import types
import zipfile

import numpy as np
import pytest
from idx_files import write_idx

from lrlab import data, tasks
from lrlab.data import DataError
from lrlab.data.splits import split

X, Y = np.arange(80.0).reshape(40, 2) ** 1.5, np.arange(40) % 2
SECONDS = 1_700_000_000 + np.arange(40)


def saved(path, **arrays):
    np.savez(path, **arrays)
    return f"npz:{path}"


def written(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return f"csv:{path}"


# Digits


def distinct(loaded):
    return len(np.unique(loaded.train[0].reshape(40, -1)[:, 0]))


@pytest.mark.parametrize("offset", [0, 10**15, 2**53 - 10**10])
@pytest.mark.parametrize("dtype", ["i8", "u8", "f8", "longdouble", ">i8", object])
def test_large_numbers_keep_their_digits_when_scaled(offset, dtype, tmp_path, monkeypatch):
    x = np.c_[SECONDS + offset, np.arange(40)]
    expected = (np.arange(40) - 19.5) / np.arange(40).std()
    if dtype is object:  # a CSV file's digits
        lines = "".join(f"{a},{b},{y}\n" for (a, b), y in zip(x.tolist(), Y, strict=True))
        loaded = data.load(written(tmp_path / "a.csv", "a,b,y\n" + lines), valid_fraction=0)
    else:
        loaded = data.load(saved(tmp_path / "a.npz", x=x.astype(dtype), y=Y), valid_fraction=0)
    assert distinct(loaded) == 40
    np.testing.assert_allclose(loaded.train[0][:, 0], expected, atol=0.05)


def test_large_numbers_keep_their_digits_in_every_source(tmp_path, monkeypatch):
    write_idx(tmp_path / "t-images-idx3-ubyte", SECONDS.astype(np.int32).reshape(40, 1, 1))
    write_idx(tmp_path / "t-labels-idx1-ubyte", Y.astype(np.uint8))
    loaded = data.load(f"idx:{tmp_path}/t-images-idx3-ubyte", valid_fraction=0, scale="standard")
    assert distinct(loaded) == 40
    loaded = data.load(saved(tmp_path / "a.npz", x=SECONDS[:, None, None], y=Y), valid_fraction=0)
    np.testing.assert_array_equal(loaded.train[0].ravel(), SECONDS)
    fake = hub(monkeypatch, {"train": dict(x=list(SECONDS[:, None]), y=list(Y))})
    assert distinct(data.load("hf:a", valid_fraction=0, scale="standard")) == 40 and fake


def test_integers_beyond_float64_are_refused_in_files(tmp_path):
    with pytest.raises(DataError, match=r"array 'x': 9007199254740993 at row 1 .*more digits"):
        data.load(saved(tmp_path / "a.npz", x=[[0], [2**53 + 1]], y=[0, 1]))
    with pytest.raises(DataError, match=r"a.csv:3: column 'a' .*9007199254740993 has more digits"):
        data.load(written(tmp_path / "a.csv", "a,y\n1,0\n9007199254740993,1\n"))


def test_small_units_are_no_constant_column(tmp_path):
    x = np.c_[np.arange(40) * 1e-13, np.full(40, 0.1), 1e-15 + np.arange(40) * 1e-18]
    loaded = data.load(saved(tmp_path / "a.npz", x=x, y=Y), valid_fraction=0)
    np.testing.assert_allclose(loaded.train[0].std(0), [1, 0, 1], atol=1e-9)


# npz


@pytest.mark.parametrize(
    ("train", "valid", "test"),
    [
        ("x y", "x_val y_val", ""),
        ("x y", "x_valid y_valid", "x_test y_test"),
        ("X_train y_train", "X_validation y_validation", "X_TEST Y_TEST"),
        ("xTrain yTrain", "xVal yVal", "xtest ytest"),
        ("train_images train_labels", "val_images val_labels", "test_images test_labels"),
        ("images labels", "dev_images dev_labels", ""),
        ("data target", "data_valid target_valid", ""),
        ("train.x train.y", "valid.x valid.y", "test.x test.y"),
    ],
)
def test_npz_splits_by_their_usual_names(train, valid, test, tmp_path):
    arrays = {}
    for names, rows in ((train, 40), (valid, 12), (test, 8)):
        arrays |= dict(zip(names.split(), (X[:rows], Y[:rows]), strict=False))
    loaded = data.load(saved(tmp_path / "a.npz", **arrays))
    sizes = {"train": 40, "valid": 12, "test": 8} if test else {"train": 40, "valid": 12}
    assert {part: len(y) for part, (_, y) in loaded.splits().items()} == sizes


NPZ = {
    "further": (dict(x=X, y=Y, weights=Y), {}, r"nothing uses 'weights'.*ignore = \['weights'\]"),
    "no inputs": (dict(x=X, y=Y, y_val=Y), {}, "nothing uses 'y_val'"),
    "no targets": (dict(x=X, y=Y, x_val=X), {}, "no array 'y_valid'; it has x, x_val, y"),
    "case": (dict(x=X, X=X, y=Y), {}, "both 'X' and 'x' may be the train inputs"),
    "two": (dict(x=X, x_train=X, y=Y), {}, "both 'x' and 'x_train' may be the train inputs"),
    "synonyms": (dict(x=X, y=Y, images=X), {}, "both 'images' and 'x'"),
    "two valid": (
        dict(x=X, y=Y, x_val=X, x_dev=X, y_val=Y),
        {},
        "both 'x_dev' and 'x_val' may be the valid inputs",
    ),
    "positions": (dict(arr_0=X, arr_1=Y), {}, "has arr_0, arr_1.*options inputs and target"),
    "ignored": (dict(x=X, y=Y), {"ignore": ["z"]}, "ignore names 'z', and it has x, y"),
    "0-d": (dict(x=X, y=Y, classes=np.array(2)), {}, "nothing uses 'classes'"),
    "rows": (dict(x=X, y=Y, x_val=X[:3], y_val=Y[:2]), {}, "valid: 3 inputs but 2 targets"),
    "one class": (dict(x=X, y=Y * 0), {}, "every target is 0; there is nothing to learn"),
    "one number": (dict(x=X, y=Y * 0 + 3.5), {}, "every target is 3.5"),
    "bytes": (dict(x=np.zeros((40, 2), "V2"), y=Y), {}, "save bfloat16 arrays as float32"),
    "divide": (dict(x=X, y=Y), {"divide": 0}, "divide must be a number other than 0"),
    "test share": (
        dict(x=X, y=Y, x_test=X, y_test=Y),
        {"test_fraction": 0.1},
        "test_fraction = 0.1 cannot be used: .*a test split of their own",
    ),
    "valid share": (dict(x=X, y=Y, x_val=X, y_val=Y), {"valid_fraction": 0.3}, "valid_fraction"),
}


@pytest.mark.parametrize("case", NPZ)
def test_npz_arrays_are_used_or_refused_by_name(case, tmp_path):
    arrays, options, message = NPZ[case]
    with pytest.raises(DataError, match=message):
        data.load(saved(tmp_path / "a.npz", **arrays), **options)


def test_npz_options_name_and_leave_out(tmp_path):
    spec = saved(tmp_path / "a.npz", arr_0=X, arr_1=Y, names=np.array([{}, 1], object))
    loaded = data.load(spec, inputs="arr_0", target="arr_1", ignore=["nam*"], valid_fraction=0)
    np.testing.assert_array_equal(loaded.train[1], Y)
    spec = saved(tmp_path / "b.npz", a_train=X, b_train=Y, a_val=X[:9], b_val=Y[:9])
    assert len(data.load(spec, inputs="a_train", target="b_train").valid[1]) == 9
    np.savez(tmp_path / "c.npz", x=X, y=Y)
    with zipfile.ZipFile(tmp_path / "c.npz", "a") as archive:
        array = archive.read("x.npy")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("x.npy", array)
    with pytest.raises(DataError, match="two arrays named 'x'"):
        data.load(f"npz:{tmp_path}/c.npz")


def test_labels_in_a_column_are_labels(tmp_path):
    loaded = data.load(saved(tmp_path / "a.npz", x=X, y=Y[:, None]))
    assert loaded.kind == "classification" and loaded.train[1].shape == (32,)
    floats = saved(tmp_path / "b.npz", x=X, y=Y[:, None].astype(float))
    assert data.load(floats).num_outputs == 2


def test_npz_images_of_bytes_are_divided_as_idx_ones_are(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 4, 4)).astype(np.uint8)
    spec = saved(tmp_path / "a.npz", x=pixels, y=Y, x_val=pixels // 2, y_val=Y)
    loaded = data.load(spec)
    np.testing.assert_array_equal(loaded.train[0], pixels.astype("f4") / np.float32(255))
    np.testing.assert_array_equal(loaded.valid[0], (pixels // 2).astype("f4") / np.float32(255))
    assert loaded.source["origin"]["divided_by"] == 255
    np.testing.assert_array_equal(data.load(spec, divide=1).train[0], pixels)
    onehot = (pixels > 128).astype(np.uint8)
    np.testing.assert_array_equal(
        data.load(saved(tmp_path / "b.npz", x=onehot, y=Y), valid_fraction=0).train[0], onehot
    )
    mixed = saved(tmp_path / "c.npz", x=pixels, y=Y, x_val=pixels / 255, y_val=Y)
    with pytest.raises(DataError, match=r"different types .*divide = 255, or divide = 1"):
        data.load(mixed)


# Splits and limits


def test_a_test_part_is_held_out_beside_an_official_validation_split():
    loaded = data.load("mnist1d", test_fraction=0.1)
    assert {part: len(y) for part, (_, y) in loaded.splits().items()} == {
        "train": 3600,
        "valid": 1000,
        "test": 400,
    }
    with pytest.raises(DataError, match=r"valid_fraction = 0.5 cannot be used.*1,000 examples"):
        data.load("mnist1d", valid_fraction=0.5)


def test_every_example_is_in_one_split():
    x, y = np.arange(101.0)[:, None], np.arange(101) % 3
    raw = data.Raw({"train": (x, y)}, "classification", "", {}, "")
    parts = split(raw, 0.2, 0.1, 0)
    assert sorted(np.concatenate([part[0].ravel() for part in parts.values()])) == list(range(101))


# IDX

PIXELS = np.random.default_rng(1).integers(0, 256, (12, 3, 3)).astype(np.uint8)
DIGITS = (np.arange(12) % 3).astype(np.uint8)


@pytest.mark.parametrize(
    ("train", "held"),
    [
        ("train-{}-idx{}-ubyte", "t10k-{}-idx{}-ubyte.gz"),
        ("train-{}.idx{}-ubyte", "t10k-{}.idx{}-ubyte"),
        ("train-{}.idx{}-ubyte.gz", "t10k-{}.idx{}-ubyte.gz"),
        ("emnist-digits-train-{}-idx{}-ubyte", "emnist-digits-test-{}-idx{}-ubyte"),
        ("TRAIN-{}.idx{}", "Valid_{}.IDX{}-UBYTE"),
    ],
)
def test_idx_folders(train, held, tmp_path):
    for name, rows in ((train, 12), (held, 6)):
        write_idx(tmp_path / name.format("images", 3), PIXELS[:rows])
        write_idx(tmp_path / name.format("labels", 1), DIGITS[:rows])
    (tmp_path / "README.md").write_text("not data")
    loaded = data.load(f"idx:{tmp_path}")
    assert loaded.shapes == {"train": ((12, 3, 3), (12,)), "valid": ((6, 3, 3), (6,))}
    np.testing.assert_array_equal(loaded.train[0], PIXELS.astype("f4") / np.float32(255))
    single = data.load(f"idx:{tmp_path / train.format('images', 3)}", valid_fraction=0)
    np.testing.assert_array_equal(single.train[1], DIGITS)


def test_idx_folders_hold_nothing_unseen(tmp_path):
    for name in ("train", "t10k", "valid"):
        write_idx(tmp_path / f"{name}-images.idx3-ubyte", PIXELS)
        write_idx(tmp_path / f"{name}-labels.idx1-ubyte", DIGITS)
    assert set(data.load(f"idx:{tmp_path}").splits()) == {"train", "valid", "test"}
    write_idx(tmp_path / "letters-train-images-idx3-ubyte", PIXELS)
    with pytest.raises(DataError, match=r"both 'letters-train.*' and 'train-images.* train images"):
        data.load(f"idx:{tmp_path}")
    (tmp_path / "letters-train-images-idx3-ubyte").rename(tmp_path / "more.idx3-ubyte")
    with pytest.raises(DataError, match=r"'more.idx3-ubyte' does not say"):
        data.load(f"idx:{tmp_path}")
    (tmp_path / "more.idx3-ubyte").unlink()
    (tmp_path / "t10k-labels.idx1-ubyte").unlink()
    with pytest.raises(DataError, match="holds no t10k-labels"):
        data.load(f"idx:{tmp_path}")


# Hubs


def hub(monkeypatch, splits):
    fake = types.ModuleType("datasets")
    fake.__version__ = "0"

    class Part(dict):
        column_names = property(list)

    fake.load_dataset = lambda name, subset: {key: Part(value) for key, value in splits.items()}
    monkeypatch.setitem(sys.modules, "datasets", fake)
    library = types.ModuleType("tensorflow_datasets")
    library.__version__ = "0"
    library.load = lambda name, batch_size: splits
    library.as_numpy = lambda found: found
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", library)
    return fake


ROW = dict(image=[np.full(2, i) for i in range(6)], label=[0, 1] * 3)
HUB = {
    "id": ({"train": {**ROW, "id": range(6)}}, r"train: nothing uses 'id'.*ignore = \['id'\]"),
    "two": ({"train": {**ROW, "fine_label": [0] * 6}}, "label and fine_label may both be it"),
    "split": ({"train": ROW, "unsupervised": ROW}, "'unsupervised' is none of"),
    "dev": ({"train": ROW, "dev": ROW, "validation": ROW}, "'validation' is none of one train"),
}


@pytest.mark.parametrize("source", ["hf", "tfds"])
@pytest.mark.parametrize("case", HUB)
def test_hub_columns_and_splits_are_used_or_refused(case, source, monkeypatch):
    splits, message = HUB[case]
    hub(monkeypatch, splits)
    with pytest.raises(DataError, match=message):
        data.load(f"{source}:a")


@pytest.mark.parametrize("source", ["hf", "tfds"])
def test_hub_splits_have_other_names(source, monkeypatch):
    hub(monkeypatch, {"train": {**ROW, "id": range(6)}, "val": ROW, "extra": ROW})
    loaded = data.load(f"{source}:a", ignore=["id", "extra"])
    assert {part: len(y) for part, (_, y) in loaded.splits().items()} == {"train": 6, "valid": 6}


def test_mse_makes_a_number_of_a_files_integers(tmp_path):
    spec = saved(tmp_path / "a.npz", x=X, y=np.arange(40) % 7)
    for source in (spec, {"name": spec}, {"name": "npz", "path": str(tmp_path / "a.npz")}):
        assert tasks.build({"name": "linear"}, source, loss="mse").data["train"][1].ndim == 1


@pytest.mark.parametrize("dtype", ["f4", "i8", "?"])
def test_one_hot_targets_are_refused_with_what_to_do(tmp_path, dtype):
    x, y = np.arange(40.0).reshape(20, 2), np.eye(4)[np.arange(20) % 4].astype(dtype)
    np.savez(tmp_path / "hot.npz", x=x, y=y)
    with pytest.raises(DataError, match=r"one-hot rows of 4 classes; .*y.argmax\(-1\)"):
        data.load(f"npz:{tmp_path}/hot.npz")
    numbers = data.load("npz", path=str(tmp_path / "hot.npz"), kind="regression", valid_fraction=0)
    assert numbers.train[1].shape == (20, 4)
