"""A zoo of small networks, under which every invariant is tested."""

import numpy as np

from sklearn_ntk.networks import (
    ELU,
    GELU,
    MLP,
    RBF,
    SELU,
    ABReLU,
    Abs,
    Concatenate,
    Cos,
    Dense,
    Dropout,
    Elementwise,
    Erf,
    Exp,
    ExpNormalized,
    Gabor,
    Gaussian,
    Hermite,
    Identity,
    InputScale,
    LayerNorm,
    LeakyReLU,
    Monomial,
    Polynomial,
    Product,
    RectifiedMonomial,
    ReLU,
    Residual,
    Sequential,
    Sigmoid,
    SigmoidLike,
    Sign,
    SiLU,
    Sin,
    Softplus,
    Sum,
    Tanh,
)

FREE = (1e-3, 1e3)


def arctan_slope(u):
    return 1.0 / (1.0 + u * u)


def dense(weight_variance=1.2, bias_variance=0.3, **options):
    """A Dense whose two variances are free."""
    return Dense(weight_variance, bias_variance, weight_variance_bounds=FREE, **options)


def one_hidden(activation, weight_variance=1.2):
    """One hidden layer, all variances free."""
    return Sequential(dense(weight_variance), activation, dense())


ACTIVATIONS = {
    "relu": ReLU(),
    "leaky_relu": LeakyReLU(0.2, negative_slope_bounds=FREE),
    "ab_relu": ABReLU(0.5, 1.3, a_bounds=FREE, b_bounds=FREE),
    "ab_relu_negative": ABReLU(-0.5, 2.0),
    "abs": Abs(),
    "identity": Identity(),
    "erf": Erf(1.1, 0.7, 0.3, a_bounds=FREE, b_bounds=FREE, c_bounds=FREE),
    "sigmoid_like": SigmoidLike(),
    "gelu": GELU(),
    "sin": Sin(1.1, 0.7, 0.3, a_bounds=FREE, b_bounds=FREE, c_bounds=FREE),
    "cos": Cos(1.1, 0.7, 0.3, a_bounds=FREE, b_bounds=FREE, c_bounds=FREE),
    "rbf": RBF(0.4, gamma_bounds=FREE),
    "gaussian": Gaussian(1.2, -0.3, a_bounds=FREE),
    "gabor": Gabor(),
    "exp": Exp(0.7, 0.3, a_bounds=FREE, b_bounds=FREE),
    "exp_normalized": ExpNormalized(0.7, -0.5, gamma_bounds=FREE),
    "sign": Sign(),
    "monomial": Monomial(3),
    "rectified_monomial": RectifiedMonomial(2),
    "step": RectifiedMonomial(0),
    "polynomial": Polynomial([0.1, 0.5, 0.3, 0.2]),
    "hermite": Hermite(3),
    "tanh": Tanh(),
    "sigmoid": Sigmoid(),
    "softplus": Softplus(),
    "silu": SiLU(),
    "elu": ELU(0.7, alpha_bounds=FREE),
    "selu": SELU(),
    "elementwise": Elementwise(np.arctan, arctan_slope),
}

NETWORKS = {
    **{f"one_{name}": one_hidden(layer) for name, layer in ACTIVATIONS.items()},
    "linear": MLP(depth=0, weight_variance_bounds=FREE),
    "mlp": MLP(weight_variance_bounds=FREE, length_scale_bounds=FREE),
    "deep": MLP(depth=10, weight_variance_bounds=FREE),
    "no_bias": MLP(depth=3, bias_variance=0.0, length_scale_bounds=FREE),
    "amplitude_one": MLP(output_scale=1.0, output_scale_bounds=FREE),
    "amplitude": MLP(output_scale=1.7, output_scale_bounds=FREE),
    "relevance": MLP(length_scale=[0.5, 1.0, 2.0, 3.0], length_scale_bounds=FREE),
    "relevance_erf": MLP(
        activation="erf",
        length_scale=[0.5, 1.0, 2.0, 3.0],
        length_scale_bounds=FREE,
        output_scale=1.0,
    ),
    "residual": MLP(depth=3, residual=True, layer_norm=True),
    "gelu_residual": MLP(depth=3, activation="gelu", residual=True),
    "dropout": MLP(depth=2, dropout=0.3, weight_variance_bounds=FREE),
    "frozen": MLP(depth=3, n_frozen_layers=2),
    "bias_from_zero": MLP(bias_init="zeros"),
    "standard": MLP(
        depth=2, parametrization="standard", width=64, weight_variance_bounds=FREE
    ),
    "mixed": Sequential(
        InputScale(2.0), dense(), Sin(), dense(), ReLU(), dense(), Erf(), dense()
    ),
    "concatenate": Sequential(
        Concatenate(
            Sequential(dense(width=10), ReLU()), Sequential(dense(width=30), Erf())
        ),
        dense(),
    ),
    "gated": Sequential(
        Product(Sequential(dense(), ReLU()), Sequential(dense(), Erf())), dense()
    ),
    "shortcut": Sequential(
        dense(), Residual(ReLU(), dense(), shortcut=dense(0.5)), LayerNorm()
    ),
    "sum": Sequential(Sum(dense(), Sequential(dense(), GELU(), Dropout(0.2), dense()))),
}
