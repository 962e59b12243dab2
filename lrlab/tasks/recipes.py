"""Supervised tasks by name: which data, which model. Each function gives one recipe."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from lrlab.core.text import JsonObject


class Recipe(TypedDict):
    """`data` and `model` as for `lrlab.tasks.build`, with `loss` and `metrics` where they are not
    the usual ones."""

    data: JsonObject
    model: JsonObject
    loss: NotRequired[str]
    metrics: NotRequired[tuple[str, ...]]


def digits_mlp() -> Recipe:
    """Handwritten digits (1,797 images of 8x8), MLP with two hidden layers of 128."""
    return {"data": {"name": "digits"}, "model": {"name": "mlp", "width": 128, "depth": 2}}


def digits_linear() -> Recipe:
    """Handwritten digits, logistic regression."""
    return {"data": {"name": "digits"}, "model": {"name": "linear"}}


def digits_cnn() -> Recipe:
    """Handwritten digits as images of 8x8, small CNN."""
    return {
        "data": {"name": "digits", "flat": False},
        "model": {"name": "cnn", "channels": [16, 32], "width": 64},
    }


def wine_mlp() -> Recipe:
    """Wines by chemical analysis (178 x 13, 3 classes), MLP with one hidden layer of 32."""
    return {"data": {"name": "wine"}, "model": {"name": "mlp", "width": 32, "depth": 1}}


def breast_cancer_linear() -> Recipe:
    """Breast cancer (569 x 30), logistic regression with one output."""
    return {"data": {"name": "breast_cancer"}, "model": {"name": "linear"}, "loss": "binary"}


def iris_linear() -> Recipe:
    """Iris (150 x 4, 3 classes), logistic regression."""
    return {"data": {"name": "iris"}, "model": {"name": "linear"}}


def diabetes_mlp() -> Recipe:
    """Diabetes progression (442 x 10, regression), MLP with two hidden layers of 64."""
    return {"data": {"name": "diabetes"}, "model": {"name": "mlp", "width": 64, "depth": 2}}


def diabetes_linear() -> Recipe:
    """Diabetes progression, least squares."""
    return {"data": {"name": "diabetes"}, "model": {"name": "linear"}}


def fashion_mnist_mlp() -> Recipe:
    """Fashion-MNIST (60,000 images of 28x28), MLP with two hidden layers of 128."""
    return {"data": {"name": "fashion_mnist"}, "model": {"name": "mlp", "width": 128, "depth": 2}}


def fashion_mnist_cnn() -> Recipe:
    """Fashion-MNIST, small CNN: two convolutions and a dense layer."""
    return {
        "data": {"name": "fashion_mnist"},
        "model": {"name": "cnn", "channels": [16, 32], "width": 64},
    }


def fashion_mnist_resnet() -> Recipe:
    """Fashion-MNIST, residual CNN of 16-32-64 channels with BatchNorm."""
    return {
        "data": {"name": "fashion_mnist"},
        "model": {"name": "resnet", "channels": [16, 32, 64], "norm": "batch"},
    }


def mnist1d_mlp() -> Recipe:
    """MNIST-1D (4,000 signals of 40), MLP with two hidden layers of 100."""
    return {"data": {"name": "mnist1d"}, "model": {"name": "mlp", "width": 100, "depth": 2}}


def mnist1d_cnn() -> Recipe:
    """MNIST-1D, one-dimensional CNN: kernels of 5, two convolutions."""
    return {
        "data": {"name": "mnist1d"},
        "model": {"name": "cnn", "channels": [25, 25], "kernel": 5, "width": 0},
    }


def bytes_transformer() -> Recipe:
    """Python's standard library as bytes (4.7 MB), decoder-only transformer of 2 layers.

    Evaluated on the first 256 held-out windows.
    """
    return {
        "data": {"name": "stdlib", "context": 64, "max_valid": 256},
        "model": {"name": "transformer", "width": 64, "depth": 2, "heads": 4},
    }


def chebyshev() -> Recipe:
    """Chebyshev regression (Cohen et al. 2021, 2103.00065): 20 points, MLP 1-100-1 with tanh."""
    return {
        "data": {"name": "chebyshev", "points": 20, "degree": 4},
        "model": {"name": "mlp", "width": 100, "depth": 1, "activation": "tanh"},
    }
