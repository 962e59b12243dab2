"""Gradient descent, Adam and their relatives. g is the gradient, w the parameters.

In the formulas of Adam's relatives m and v are moving averages, m <- b1 m + (1 - b1) g, v <- b2 v +
(1 - b2) g^2, with hats after division by 1 - b^t. Their `lr` is in the unit of the parameters (the
largest change of one in one update, about); b1, b2 have none; eps has the gradient's.
"""

from __future__ import annotations

from lrlab.optimizers.method import Example, Method, Quadratic

_ADAM = {"b1": 0.9, "b2": 0.999, "eps": 1e-8}
_ROOTED = {**_ADAM, "eps_root": 0.0}

# fmt: off
MOMENTS: dict[str, Method] = {
    "sgd": Method(
        "optax:sgd", "Plain stochastic gradient descent.",
        "w <- w - lr g (Robbins and Monro 1951, Ann. Math. Stat. 22:400). Unit of `lr`: the "
        "parameters' over the gradient's, 1 / curvature.",
        {}, example=Example((-0.1, -1.0)), dynamics=Quadratic("sgd"), mup="sgd",
    ),
    "momentum": Method(
        "optax:sgd", "Heavy-ball momentum.",
        "m <- momentum m + g; w <- w - lr m (Polyak 1964, USSR Comput. Math. Math. Phys. 4:1; "
        "Sutskever et al. 2013, ICML). `momentum` has no unit; `lr` as in SGD.",
        {"momentum": 0.9}, example=Example((-0.1, -1.0)),
        dynamics=Quadratic("momentum", "momentum"), mup="sgd",
    ),
    "nesterov": Method(
        "optax:sgd", "Nesterov's accelerated momentum.",
        "m <- momentum m + g; w <- w - lr (g + momentum m) (Nesterov 1983, Soviet Math. Dokl. "
        "27:372; in the form of Bengio et al. 2012, arXiv 1212.0901). `momentum` has no unit; `lr` "
        "as in SGD.",
        {"momentum": 0.9}, fixed={"nesterov": True}, example=Example((-0.19, -1.9)),
        dynamics=Quadratic("nesterov", "momentum"), mup="sgd",
    ),
    "noisy_sgd": Method("lrlab.optimizers.noise:noisy_sgd", dynamics=Quadratic("sgd"), mup="sgd"),
    "dpsgd": Method("lrlab.optimizers.noise:dpsgd"),
    "optimistic_gradient_descent": Method(
        "optax:optimistic_gradient_descent",
        "Gradient descent with a prediction of the next gradient, for games.",
        "w <- w - lr ((alpha + beta) g - beta g_before) (Rakhlin and Sridharan 2013, arXiv "
        "1311.1869; Mokhtari et al. 2019, arXiv 1901.08511). `alpha`, `beta` have no unit.",
        {"alpha": 1.0, "beta": 1.0}, example=Example((-0.1, -1.0)), mup="sgd",
    ),
    "adam": Method(
        "optax:adam", "Adam: steps in units of the parameters.",
        "w <- w - lr m^ / (sqrt(v^ + eps_root) + eps) (Kingma and Ba 2015, arXiv 1412.6980).",
        {**_ROOTED, "nesterov": False}, example=Example((-0.1, -0.1)),
        dynamics=Quadratic("adam", "b1", "adam"), mup="adam",
    ),
    "adamw": Method(
        "optax:adamw", "Adam with decoupled weight decay.",
        "w <- w - lr (m^ / (sqrt(v^ + eps_root) + eps) + weight_decay w) (Loshchilov and Hutter "
        "2019, arXiv 1711.05101). Unit of `lr`: the parameters'.",
        {**_ROOTED, "weight_decay": 1e-4, "nesterov": False},
        example=Example((-0.15, -0.15), options={"weight_decay": 0.5}),
        dynamics=Quadratic("adam", "b1", "adam"), mup="adam",
    ),
    "nadam": Method(
        "optax:nadam", "Adam with Nesterov's momentum.",
        "w <- w - lr (b1 m^ + (1 - b1) g^) / (sqrt(v^ + eps_root) + eps), m^ one step ahead (Dozat "
        "2016, ICLR workshop). Unit of `lr`: the parameters'.",
        _ROOTED, example=Example((-0.1474, -0.1474)),
        dynamics=Quadratic("nesterov_ema", "b1", "adam"), mup="adam",
    ),
    "nadamw": Method(
        "optax:nadamw", "NAdam with decoupled weight decay.",
        "NAdam's update - lr weight_decay w (Dozat 2016; Loshchilov and Hutter 2019, arXiv "
        "1711.05101). Unit of `lr`: the parameters'.",
        {**_ROOTED, "weight_decay": 1e-4},
        example=Example((-0.1474, -0.1474), options={"weight_decay": 0.0}),
        dynamics=Quadratic("nesterov_ema", "b1", "adam"), mup="adam",
    ),
    "adamax": Method(
        "optax:adamax", "Adam with the infinity norm in place of the second moment.",
        "u <- max(b2 u, |g| + eps); w <- w - lr m^ / u (Kingma and Ba 2015, arXiv 1412.6980). Unit "
        "of `lr`: the parameters'.",
        _ADAM, example=Example((-0.1, -0.1)), dynamics=Quadratic("adam", "b1", "adamax"),
        mup="adam",
    ),
    "adamaxw": Method(
        "optax:adamaxw", "Adamax with decoupled weight decay.",
        "Adamax's update - lr weight_decay w (Kingma and Ba 2015, arXiv 1412.6980; Loshchilov and "
        "Hutter 2019, arXiv 1711.05101). Unit of `lr`: the parameters'.",
        {**_ADAM, "weight_decay": 1e-4},
        example=Example((-0.15, -0.15), options={"weight_decay": 0.5}),
        dynamics=Quadratic("adam", "b1", "adamax"), mup="adam",
    ),
    "amsgrad": Method(
        "optax:amsgrad", "Adam whose second moment never falls.",
        "v_max <- max(v_max, v^); w <- w - lr m^ / (sqrt(v_max + eps_root) + eps) (Reddi et al. "
        "2018, arXiv 1904.09237). Unit of `lr`: the parameters'.",
        {**_ROOTED, "bias_correction_mu": True, "bias_correction_nu": True},
        example=Example((-0.1, -0.1)), dynamics=Quadratic("adam", "b1", "amsgrad"), mup="adam",
    ),
    "radam": Method(
        "optax:radam",
        "Rectified Adam: momentum alone until the second moment is known well enough.",
        "With rho the length of v's average, r = sqrt((rho - 4)(rho - 2) rho_inf / ((rho_inf - 4) "
        "(rho_inf - 2) rho)): w <- w - lr r m^ / (sqrt(v^) + eps) where rho >= threshold, else w - "
        "lr m^ (Liu et al. 2020, arXiv 1908.03265). `threshold` is in updates. Unit of `lr`: the "
        "parameters'.",
        {**_ROOTED, "threshold": 5.0, "nesterov": False}, example=Example((-0.1, -1.0)),
        dynamics=Quadratic("adam", "b1", "radam"), mup="adam",
    ),
    "adabelief": Method(
        "optax:adabelief",
        "Adam with the variance of the gradient around its average in place of its square.",
        "s <- b2 s + (1 - b2) (g - m)^2 + eps_root; w <- w - lr m^ / (sqrt(s^) + eps) (Zhuang et "
        "al. 2020, arXiv 2010.07468). Unit of `lr`: the parameters'.",
        {"b1": 0.9, "b2": 0.999, "eps": 1e-16, "eps_root": 1e-16, "nesterov": False},
        example=Example((-0.1111, -0.1111)), dynamics=Quadratic("adam", "b1", "adam_without_root"),
        mup="adam",
    ),
    "yogi": Method(
        "optax:yogi", "Adam whose second moment changes additively.",
        "v <- v - (1 - b2) sign(v - g^2) g^2; w <- w - lr m^ / (sqrt(v^) + eps) (Zaheer et al. "
        '2018, NeurIPS, "Adaptive methods for nonconvex optimization"). Unit of `lr`: the '
        "parameters'.",
        {"b1": 0.9, "b2": 0.999, "eps": 1e-3}, example=Example((-0.0999, -0.1)),
        dynamics=Quadratic("adam", "b1", "adam_without_root"), mup="adam",
    ),
    "adan": Method(
        "optax:adan", "Adan: Nesterov momentum from differences of gradients.",
        "With d = g - g_before: m, v, n average g, d and (g + b2 d)^2; w <- (w - lr (m + b2 v) / "
        "(sqrt(n) + eps)) / (1 + lr weight_decay) (Xie et al. 2022, arXiv 2208.06677). Unit of "
        "`lr`: the parameters'.",
        {"b1": 0.98, "b2": 0.92, "b3": 0.99, "eps": 1e-8, "eps_root": 1e-8, "weight_decay": 0.0},
        example=Example((-0.1, -0.1)), mup="adam",
    ),
    "acprop": Method("lrlab.optimizers.acprop:acprop", mup="adam"),
    "ademamix": Method(
        "optax.contrib:ademamix", "AdEMAMix: Adam with a fast and a very slow momentum.",
        "m2 <- b3 m2 + (1 - b3) g; w <- w - lr ((m1^ + alpha m2) / (sqrt(v^) + eps) + weight_decay "
        "w) (Pagliardini et al. 2024, arXiv 2409.03137). Unit of `lr`: the parameters'.",
        {"b1": 0.9, "b2": 0.999, "b3": 0.9999, "alpha": 5.0, "eps": 1e-8, "eps_root": 0.0,
         "weight_decay": 0.0}, example=Example((-0.1, -0.1)), mup="adam",
    ),
    "simplified_ademamix": Method(
        "optax.contrib:simplified_ademamix", "AdEMAMix with one accumulated momentum.",
        "m <- b1 m + g; w <- w - lr ((m + alpha g) / (sqrt(v) + eps) + weight_decay w) (Morwani et "
        "al. 2025, arXiv 2502.02431). Unit of `lr`: the parameters'.",
        {"b1": 0.99, "b2": 0.95, "alpha": 0.0, "eps": 1e-8, "eps_root": 0.0, "weight_decay": 0.0},
        example=Example((-0.1, -0.1)), mup="adam",
    ),
    "adopt": Method(
        "optax.contrib:adopt",
        "ADOPT: normalizes by the second moment before the momentum, so that any b2 converges.",
        "m <- b1 m + (1 - b1) clip(g / max(sqrt(v_before), eps), t^(1/4)); w <- w - lr m "
        "(Taniguchi et al. 2024, arXiv 2411.02853). The first gradient only starts v. Unit of "
        "`lr`: the parameters'.",
        {"b1": 0.9, "b2": 0.9999, "eps": 1e-6, "nesterov": False, "use_clipping": True},
        example=Example((0.0, 0.0)), real_only=True, mup="adam",
    ),
    "optimistic_adam": Method(
        "optax:optimistic_adam_v2", "Adam with an optimistic gradient, for games.",
        "Adam's direction d becomes (alpha + beta) d - beta d_before; w <- w - lr times that "
        "(Daskalakis et al. 2018, arXiv 1711.00141). Unit of `lr`: the parameters'.",
        {"alpha": 1.0, "beta": 1.0, "b1": 0.9, "b2": 0.999, "eps": 1e-8, "eps_root": 0.0,
         "nesterov": True}, example=Example((-0.1474, -0.1474)), mup="adam",
        aliases={"optimistic_adam_v2": {}},
    ),
    "novograd": Method(
        "optax:novograd", "NovoGrad: one second moment per tensor.",
        "v <- b2 v + (1 - b2) |g|^2 (a scalar); m <- b1 m + g / (sqrt(v) + eps) + weight_decay w; "
        "w <- w - lr m (Ginsburg et al. 2019, arXiv 1905.11286). Unit of `lr`: the parameters', "
        "times that of g over |g|.",
        {"b1": 0.9, "b2": 0.25, "eps": 1e-6, "eps_root": 0.0, "weight_decay": 0.0},
        example=Example((-0.01, -0.0995)), decoupled=False,
    ),
    "sophia": Method("lrlab.optimizers.sophia:sophia", needs=("value_fn",), real_only=True),
}
# fmt: on
