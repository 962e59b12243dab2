"""Steps divided by sums of squared gradients, signs, steps by tensor or matrix, and wrappers.

g is the gradient, w the parameters.
"""

from __future__ import annotations

from lrlab.optimizers.method import Example, Method, Quadratic

# fmt: off
SCALED: dict[str, Method] = {
    "adagrad": Method(
        "optax:adagrad",
        "Adagrad: each parameter's step over the root of its summed squared gradients.",
        "s <- s + g^2; w <- w - lr g / sqrt(s + eps) (Duchi et al. 2011, JMLR 12:2121). Unit of "
        "`lr`: that of the parameters.",
        {"initial_accumulator_value": 0.1, "eps": 1e-7},
        example=Example((-0.1, -0.1), options={"initial_accumulator_value": 0.0}),
        dynamics=Quadratic("sgd", None, "adagrad"), mup="adam",
    ),
    "rmsprop": Method(
        "optax:rmsprop",
        "RMSProp: each parameter's step over the root mean square of its recent gradients.",
        "v <- decay v + (1 - decay) g^2; w <- w - lr g / sqrt(v + eps) (Tieleman and Hinton 2012, "
        "Coursera lecture 6.5; centered form: Graves 2013, arXiv 1308.0850). Unit of `lr`: that of "
        "the parameters; `decay` and `momentum` have none.",
        {"decay": 0.9, "eps": 1e-8, "initial_scale": 0.0, "eps_in_sqrt": True, "centered": False,
         "momentum": None, "nesterov": False, "bias_correction": False},
        example=Example((-0.1, -0.1), options={"decay": 0.0}),
        dynamics=Quadratic("rmsprop", "momentum", "rmsprop"), mup="adam",
    ),
    "adadelta": Method(
        "optax:adadelta",
        "Adadelta: steps with the root mean square of earlier steps as their unit.",
        "v averages g^2, x averages the squared steps u^2; u = sqrt(x + eps) / sqrt(v + eps) g; w "
        "<- w - lr u (Zeiler 2012, arXiv 1212.5701). `lr` has no unit; 1 is the published method.",
        {"rho": 0.9, "eps": 1e-6}, example=Example((-0.3162, -0.3162), 100.0), real_only=True,
    ),
    "sm3": Method(
        "optax:sm3", "SM3: Adagrad with accumulators per row and column.",
        "s = min over the axes' accumulators + g^2; w <- w - lr momentum-average(g / sqrt(s)) "
        "(Anil et al. 2019, arXiv 1901.11150). Unit of `lr`: the parameters'.",
        {"momentum": 0.9}, example=Example((-0.01, -0.01)), real_only=True,
    ),
    "rprop": Method("lrlab.optimizers.rprop:rprop", real_only=True),
    "madgrad": Method(
        "optax.contrib:madgrad", "MADGRAD: dual averaging with cube-root normalization.",
        "With c = lr sqrt(t + 1): s += c g, v += c g^2, z = w_0 - s / (v^(1/3) + eps); w <- "
        "momentum w + (1 - momentum) z (Defazio and Jelassi 2021, arXiv 2101.11075). Unit of `lr`: "
        "the parameters'.",
        {"momentum": 0.9, "eps": 1e-6}, example=Example((-0.0215, -0.0464)), follows_a_point=True,
        real_only=True,
    ),
    "lion": Method(
        "optax:lion", "Lion: the sign of an interpolated momentum.",
        "w <- w - lr (sign(b1 m + (1 - b1) g) + weight_decay w); m <- b2 m + (1 - b2) g (Chen et "
        "al. 2023, arXiv 2302.06675). Unit of `lr`: the parameters'.",
        {"b1": 0.9, "b2": 0.99, "weight_decay": 1e-3},
        example=Example((-0.1, -0.1), options={"weight_decay": 0.0}), mup="adam",
    ),
    "sign_sgd": Method(
        "optax:sign_sgd", "The sign of the gradient.",
        "w <- w - lr sign(g) (Bernstein et al. 2018, arXiv 1802.04434). Unit of `lr`: the "
        "parameters'.",
        {}, example=Example((-0.1, -0.1)), mup="adam",
    ),
    "signum": Method(
        "optax:signum", "The sign of the momentum.",
        "m <- beta m + (1 - beta) g; w <- w - lr sign(m) (Bernstein et al. 2018, arXiv "
        "1802.04434). Unit of `lr`: the parameters'.",
        {"beta": 0.9}, example=Example((-0.1, -0.1)), mup="adam",
    ),
    "lamb": Method(
        "optax:lamb", "LAMB: Adam with each tensor's update scaled to the tensor's norm.",
        "w <- w - lr |w| / |u| u, u = m^ / (sqrt(v^) + eps) + weight_decay w (You et al. 2020, "
        "arXiv 1904.00962). `lr` has no unit: the relative change of a tensor in one update.",
        {"b1": 0.9, "b2": 0.999, "eps": 1e-6, "eps_root": 0.0, "weight_decay": 0.0},
        example=Example((-0.1, -0.1)),
    ),
    "lars": Method(
        "optax:lars", "LARS: momentum SGD with each tensor's step scaled to the tensor's norm.",
        "m <- momentum m + lr trust_coefficient |w| / (|g| + eps) g; w <- w - m (You et al. 2017, "
        "arXiv 1708.03888). `lr` has no unit. Weight decay goes into g before the norms are taken.",
        {"trust_coefficient": 0.001, "eps": 0.0, "momentum": 0.9, "nesterov": False},
        example=Example((-0.0014, -0.0141), 10.0), decoupled=False,
    ),
    "fromage": Method(
        "optax:fromage", "Fromage: each tensor turned by the same angle.",
        "w <- (w - lr g max(|w|, min_norm) / max(|g|, min_norm)) / sqrt(1 + lr^2) (Bernstein et "
        "al. 2020, arXiv 2002.03432). `lr` has no unit.",
        {"min_norm": 1e-6}, example=Example((-0.019, -0.145)),
    ),
    "adafactor": Method(
        "optax:adafactor", "Adafactor: second moments of matrices kept as a row and a column.",
        "u = g / sqrt(v), v <- (1 - t^-decay_rate) (g^2 + eps) averaged, its matrices as the "
        "product of row and column means; u clipped to root mean square `clipping_threshold`; w <- "
        "w - lr RMS(w) u (Shazeer and Stern 2018, arXiv 1804.04235). `lr` has no unit where "
        "`multiply_by_parameter_scale`, else the parameters'.",
        {"min_dim_size_to_factor": 128, "decay_rate": 0.8, "decay_offset": 0,
         "multiply_by_parameter_scale": True, "clipping_threshold": 1.0, "momentum": None,
         "weight_decay_rate": None, "eps": 1e-30, "factored": True}, example=Example((-0.1, -0.1)),
    ),
    "muon": Method(
        "optax.contrib:muon",
        "Muon: momentum made orthogonal on matrices, AdamW on everything else.",
        "m <- beta m + g; w <- w - lr (NS(m) sqrt(max(1, rows / columns)) + weight_decay w), where "
        "NS is `ns_steps` Newton-Schulz iterations towards U V' of m = U S V' (Jordan et al. 2024, "
        '"Muon"; at scale: Liu et al. 2025, arXiv 2502.16982). Only parameters with two axes are '
        "matrices. `lr` is the spectral norm of an update, in the parameters' unit.",
        {"ns_steps": 5, "beta": 0.95, "eps": 1e-8, "weight_decay": 0.0, "nesterov": True,
         "adaptive": False, "adam_b1": 0.9, "adam_b2": 0.999, "adam_eps_root": 0.0,
         "adam_weight_decay": 0.0, "consistent_rms": None}, example=Example((-0.1474, -0.1474)),
    ),
    "galore": Method(
        "optax.contrib:galore", "GaLore: Adam in a low-rank subspace of each matrix's gradient.",
        "With P the first `rank` singular vectors of g, computed again each `update_proj_gap` "
        "updates: w <- w - lr scale P Adam(P' g) (Zhao et al. 2024, arXiv 2403.03507). Unit of "
        "`lr`: as Adam's.",
        {"rank": 128, "update_proj_gap": 200, "scale": 1.0}, example=Example((-0.1, -0.1)),
    ),
    "lbfgs": Method(
        "lrlab.optimizers.lbfgs:lbfgs", decoupled=False, needs=("value", "grad", "value_fn"),
    ),
    "lookahead": Method("lrlab.optimizers.wrappers:lookahead"),
    "sam": Method("lrlab.optimizers.wrappers:sam", needs=("value_fn",)),
}
# fmt: on
