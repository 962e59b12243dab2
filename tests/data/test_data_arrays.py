"""Arrays made in Python: right whatever they are made of, or refused with split and number."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

import lrlab
from lrlab.data import DataError
from lrlab.data.values import merged, numbers
from lrlab.engine.host_data import check_representable, on_host

X = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int32)
LINEAR = lrlab.Model(lambda key, x: jnp.zeros((3, 2)), lambda w, x, train, key: (x @ w, w))
ZERO = lrlab.Model(lambda key, x: jnp.zeros(()), lambda w, x, train, key: (w * x[:, 0], w))


def task(train=(X, Y), valid=None, model=LINEAR, loss="softmax_cross_entropy", test=None):
    valid = train if valid is None else valid
    return lrlab.Task.supervised(model=model, loss=loss, train=train, valid=valid, test=test)


def sweep(what, precision="float32"):
    plan = lrlab.Plan(tile_width=1, devices=1)
    return lrlab.sweep(
        what, lr=[0.0], optimizer="sgd", schedule="constant", steps=1, seeds=1, batch_size="full",
        precision=precision, plan=plan, progress=False,
    )  # fmt: skip


BIG = 3_000_000_000
NUMBERS = {
    "int64": np.full(12, BIG),
    "negative": np.full(12, -BIG),
    "uint64": np.full(12, BIG, np.uint64),
    "uint32": np.full(12, BIG, np.uint32),
    "list": [BIG] * 12,
    "big endian": np.full(12, BIG, ">i8"),
    "longdouble": np.full(12, BIG, np.longdouble),
    "jax": jnp.full(12, BIG, jnp.uint32),
}


@pytest.mark.parametrize("kind", NUMBERS)
def test_targets_beyond_int32_keep_their_value(kind):
    made = task((X, NUMBERS[kind]), model=ZERO, loss="mse")
    for precision in ("float32", "float64"):
        _, y = on_host(made.data, precision)["valid"]
        with jax.enable_x64(precision == "float64"):
            assert jnp.square(0.0 - jnp.asarray(y)).mean() == pytest.approx(9e18, rel=1e-6)


def test_a_loss_of_targets_beyond_int32():
    result = sweep(task((X, np.full(12, BIG)), model=ZERO, loss="mse"))
    assert result.history["train_loss"].item() == pytest.approx(9e18, rel=1e-6)
    assert result.final["valid_loss"].item() == pytest.approx(9e18, rel=1e-6)


def test_inputs_beyond_int32_keep_their_value_in_every_split():
    small, large = np.arange(36).reshape(12, 3), np.full((12, 3), -BIG)
    made = task((small, Y), (large, Y))
    assert [made.data[split][0].dtype for split in ("train", "valid")] == [np.float64] * 2
    host = on_host(made.data, "float32")
    assert host["train"][0][3].tolist() == [9, 10, 11]
    assert host["valid"][0].dtype == np.float32 and (host["valid"][0] == -BIG).all()


def test_labels_stay_integers_and_large_ones_are_out_of_range():
    with pytest.raises(DataError, match=r"valid targets: label 3000000000 at row 2.*range 0 to 1"):
        task(valid=(X, np.where(np.arange(12) == 2, BIG, 0)))
    assert task((X, Y.astype(np.uint64))).data["train"][1].dtype == np.uint64
    assert on_host({"train": Y.astype(np.uint64)}, "float32")["train"].dtype == np.int32


def test_the_engine_never_wraps_an_integer():
    for number in (2**31, -(2**31) - 1):
        with pytest.raises(DataError, match=f"the valid split holds the integer {number}"):
            on_host({"valid": (np.array([number]),)}, "float64")
    assert on_host({"train": np.array([2**31 - 1, -(2**31)])}, "float32")["train"].tolist() == [
        2**31 - 1,
        -(2**31),
    ]


@pytest.mark.parametrize("number", [2**53 + 1, -(2**53) - 1, 2**63 - 1])
def test_integers_beyond_float64_are_refused_with_split_and_number(number):
    y = np.array([0] * 11 + [number])
    with pytest.raises(DataError, match=f"test targets: {number} at row 11.*more digits"):
        task(test=(X, y), loss="mse", model=ZERO)
    assert numbers(np.array([2**62, -(2**63)]), "a").tolist() == [2**62, -(2**63)]
    assert numbers(np.array([2**63 + 2**11], np.uint64), "a").item() == 2**63 + 2**11


@pytest.mark.parametrize("dtype", [np.int64, np.float64, np.uint32])
def test_columns_that_float32_merges_are_refused(dtype):
    x = np.c_[np.arange(12), 1_700_000_000 + np.arange(12), np.arange(12)].astype(dtype)
    with pytest.raises(
        ValueError, match=r"task.data: 12 different numbers of the train inputs, position \[1\]"
    ):
        sweep(task((x, Y)))
    with pytest.raises(ValueError, match="12 different numbers of the train targets become 1 "):
        sweep(task((X, x[:, 1]), model=ZERO, loss="mse"))
    check_representable(task((x, Y)).data, "float64")


def test_what_is_ordinary_rounding_is_no_loss():
    float32 = np.dtype(np.float32)
    assert merged(np.arange(2000, 2026), float32) is None
    assert merged(np.full(50, 0.1) + np.resize([0, 1e-17], 50), float32) is None
    assert merged(2**24 + np.arange(100_000), float32) is None
    assert merged(np.arange(10_000) * 256 + 2**33, float32) is None
    assert merged(2**24 + np.arange(64), float32) == ([], 64, 33)
    assert merged(np.array([[0.0, 1e-40], [1.0, 3e-40]]), float32) == ([1], 2, 1)
    assert merged(np.array([-1.7e308, 1.7e308]), float32) is None  # its range is another matter


@pytest.mark.parametrize(
    ("y", "count"),
    [
        (np.ma.array(Y, mask=Y > 0), int(Y.sum())),
        ([*Y[1:], np.ma.masked], 1),
        ([np.ma.array([value], mask=[value > 0]) for value in Y], int(Y.sum())),
    ],
)
def test_masked_targets_are_refused_with_the_count(y, count):
    with pytest.raises(DataError, match=f"train targets: {count} of 12 values are masked"):
        task((X, y))
    with pytest.raises(DataError, match=f"test targets: {count} of 12 values are masked"):
        task(test=(X, y))


def test_masked_inputs_are_refused_wherever_they_are():
    x = np.ma.masked_greater(X, 0.5)
    count = int((X > 0.5).sum())
    for inputs in (x, list(x), {"a": X, "b": x}, (x, X)):
        with pytest.raises(DataError, match=rf"valid inputs.*: {count} of 36 values are masked"):
            task(valid=(inputs, Y))
    assert task((np.ma.array(X), Y)).num_examples == 12  # nothing is masked


def test_missing_values_are_refused_with_the_count():
    x = X.copy()
    x[3, 1] = x[5] = np.nan
    with pytest.raises(DataError, match=r"nan at row 3, position \[1\].*4 of 36 numbers are not"):
        task((x, Y))
    for nothing in (None, float("nan")):
        with pytest.raises(DataError, match="2 of 12 values are missing"):
            task((X, np.array([nothing, nothing, *Y[2:]], object)))


def test_data_frames():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=["a", "b", "c"])
    np.testing.assert_array_equal(task((frame, pandas.Series(Y))).data["train"][0], X)
    mixed = pandas.DataFrame({"a": range(12), "b": [True, False] * 6, "c": X[:, 2]})
    nullable = mixed.astype({"a": "Int64", "b": "boolean", "c": "Float64"})
    for frame in (mixed, nullable, mixed.astype(object)):
        made = task((frame, Y)).data["train"][0]
        np.testing.assert_array_equal(made, np.c_[range(12), [1, 0] * 6, X[:, 2]])
    for odd in (2**70, 1j, 2**60 + 1, "1", [1]):
        mixed.loc[0, "a"] = None
        mixed["a"] = pandas.Series([odd, 0.5, *range(10)], dtype=object)
        with pytest.raises(DataError, match=r"train inputs: (needs numbers|no dtype holds all)"):
            task((mixed, Y))
    whole = pandas.DataFrame(np.arange(36).reshape(12, 3)).astype("Int64")
    whole.iloc[4, 0] = pandas.NA
    with pytest.raises(DataError, match="valid inputs: 1 of 36 values are missing"):
        task(valid=(whole, Y))
    with pytest.raises(DataError, match=r"needs numbers.*encode words as numbers"):
        task((X, pandas.Series(["a", "b"] * 6)))


@pytest.mark.parametrize("y", [np.zeros(12, int), np.ones(12, int), np.ones((12, 1), int)])
def test_labels_of_one_class_are_refused(y):
    with pytest.raises(
        DataError, match=f"targets: every target is {y.flat[0]}; .*nothing to learn"
    ):
        task((X, y), valid=(X, y))
    other = Y.reshape(y.shape)  # this split has more of them
    assert task((X, y), valid=(X, other)).num_examples == 12


SAME = {
    ">f4": X.astype(">f4"),
    ">f8": X.astype(">f8"),
    "longdouble": X.astype(np.longdouble),
    "list": X.tolist(),
    "tuples": tuple(map(tuple, X.tolist())),
    "list of arrays": list(X),
    "jax": jnp.asarray(X),
    "fortran": np.asfortranarray(X),
    "strides": np.repeat(X, 2, axis=1)[:, ::2],
    "reversed": X[::-1][::-1],
}


@pytest.mark.parametrize("kind", SAME)
def test_inputs_of_any_make_are_the_same_numbers(kind):
    made = task((SAME[kind], Y))
    np.testing.assert_array_equal(made.data["train"][0], X)
    for leaf in jax.tree.leaves(made.data):
        assert jnp.asarray(leaf).shape == leaf.shape  # JAX takes it


def test_read_only_and_memory_mapped_arrays(tmp_path):
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    data = task((mapped, Y)).data["train"][0]
    np.testing.assert_array_equal(data, X)
    assert type(data) is np.ndarray


@pytest.mark.parametrize("dtype", [">i2", ">i4", ">i8", "u1", "i8", bool, ml_dtypes.int4])
def test_integers_of_any_make_are_labels_and_inputs(dtype):
    x = (X > 0).astype(int)
    made = task((x.astype(dtype), Y.astype(dtype)))
    for array, expected in zip(on_host(made.data, "float32")["train"], (x, Y), strict=True):
        np.testing.assert_array_equal(jnp.asarray(array), expected)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn])
def test_small_floats_are_their_float32_values(dtype):
    made = task((X.astype(dtype), Y))
    np.testing.assert_array_equal(
        made.data["train"][0].astype(np.float32), X.astype(dtype).astype(np.float32)
    )
    np.testing.assert_array_equal(
        task((jnp.asarray(X, jnp.bfloat16), Y)).data["train"][0],
        np.asarray(jnp.asarray(X, jnp.bfloat16), np.float32),
    )


class Foreign:
    """An array of another library, which may refuse."""

    def __init__(self, array, error=None):
        self.array, self.error = array, error

    def __array__(self, dtype=None, copy=None):
        if self.error:
            raise self.error
        return self.array


def test_arrays_of_other_libraries():
    np.testing.assert_array_equal(task((Foreign(X), Foreign(Y))).data["train"][0], X)
    with pytest.raises(DataError, match="4 of 12 values are masked"):
        task((X, Foreign(np.ma.array(Y, mask=np.arange(12) < 4))))
    with pytest.raises(DataError, match=r"valid inputs: cannot be read.*requires grad"):
        task(valid=(Foreign(X, RuntimeError("requires grad")), Y))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.array(["cat", "dog"] * 6), "needs numbers.*encode words"),
        (np.arange(12).astype("M8[D]"), "needs numbers.*dates"),
        (np.ones(12, complex), "needs numbers.*real and imaginary"),
        (np.zeros(12, "V2"), "needs numbers.*bfloat16"),
        (np.zeros(12, [("a", "f4")]), "needs numbers"),
        ({"a": Y}, "needs one array of targets"),
        ([[0], [1, 2]] * 6, "train targets: cannot be read as one array"),
        (jax.random.key(0), "train targets: cannot be read as one array"),
        (np.array([[0], [1, 2]] * 6, object), "needs numbers, got dtype object"),
        (np.float64(3), "is a single number"),
        (np.full(12, np.finfo(np.longdouble).max), "train targets: .*beyond float64|not finite"),
    ],
)
def test_targets_that_are_no_numbers_are_named(y, message):
    with pytest.raises(DataError, match=message):
        task((X, y), model=ZERO, loss="mse")


def test_labels_in_a_column_are_labels():
    made = task((X, Y[:, None]))
    for split in ("train", "valid"):
        np.testing.assert_array_equal(made.data[split][1], Y)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (Y.astype(float), r"train targets: labels must be integers.*y.astype\(int\)"),
        (np.eye(2)[Y], r"train targets: labels must be integers.*y.argmax\(-1\)"),
    ],
)
def test_other_labels_are_refused_with_what_to_do(y, message):
    with pytest.raises(DataError, match=message):
        task((X, y))


def test_classes_of_a_model_with_one_output():
    with pytest.raises(DataError, match=r'of one output is 0 .*use the loss "binary"'):
        task(model=nn.Dense(1))


def test_splits_with_other_parts_are_refused():
    with pytest.raises(DataError, match=r"an example of valid lacks the part 0/a and has 0/b"):
        task(({"a": X}, Y), ({"b": X}, Y))


def test_one_example_trains_and_an_empty_split_is_refused():
    assert np.isfinite(sweep(task((X[:1], Y[:1]))).final["valid_loss"]).all()
    for empty in ((X[:0], Y[:0]), ([], [])):
        with pytest.raises(DataError, match=r"valid .*empty"):
            task(valid=empty)
