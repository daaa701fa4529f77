"""The reference values' little language of networks, read as networks of ours.

`specs` in the data files explain themselves; see tests/data/README.md.
"""

import numpy as np

from sklearn_ntk import networks

LAYERS = {
    "Relu": lambda s: networks.ReLU(),
    "LeakyRelu": lambda s: networks.LeakyReLU(s["alpha"]),
    "ABRelu": lambda s: networks.ABReLU(s["a"], s["b"]),
    "Abs": lambda s: networks.Abs(),
    "Identity": lambda s: networks.Identity(),
    "Erf": lambda s: networks.Erf(s.get("a", 1), s.get("b", 1), s.get("c", 0)),
    "Sin": lambda s: networks.Sin(s.get("a", 1), s.get("b", 1), s.get("c", 0)),
    "Cos": lambda s: networks.Cos(s.get("a", 1), s.get("b", 1), s.get("c", 0)),
    "Rbf": lambda s: networks.RBF(s["gamma"]),
    "Gaussian": lambda s: networks.Gaussian(s.get("a", 1), s.get("b", -1)),
    "Gelu": lambda s: networks.GELU(),
    "Sigmoid_like": lambda s: networks.SigmoidLike(),
    "Gabor": lambda s: networks.Gabor(),
    "Sign": lambda s: networks.Sign(),
    "Exp": lambda s: networks.Exp(s.get("a", 1), s.get("b", 1)),
    "ExpNormalized": lambda s: networks.ExpNormalized(
        s.get("gamma", 1), s.get("shift", -1)
    ),
    "Monomial": lambda s: networks.Monomial(s["degree"]),
    "RectifiedMonomial": lambda s: networks.RectifiedMonomial(s["degree"]),
    "Polynomial": lambda s: networks.Polynomial(s["coef"]),
    "Hermite": lambda s: networks.Hermite(s["degree"]),
    "Dropout": lambda s: networks.Dropout(
        0.0 if s["mode"] == "test" else 1.0 - s["rate"]
    ),
    "ElementwiseNumerical": lambda s: {
        "tanh": networks.Tanh,
        "sigmoid": networks.Sigmoid,
        "softplus": networks.Softplus,
        "swish": networks.SiLU,
        "elu": networks.ELU,
    }[s["fn"]](),
    "Conv": lambda s: networks.Conv(**convolution(s)),
    "ConvLocal": lambda s: networks.LocalConv(**convolution(s)),
    "ConvTranspose": lambda s: networks.ConvTranspose(**convolution(s)),
    "AvgPool": lambda s: networks.AvgPool(**pool(s)),
    "SumPool": lambda s: networks.SumPool(**pool(s)),
    "GlobalAvgPool": lambda s: networks.GlobalAvgPool(),
    "Flatten": lambda s: networks.Flatten(),
    "LayerNorm": lambda s: networks.LayerNorm(
        # there the first axis is that of the rows
        [axis - 1 for axis in s["axis"]] if "axis" in s else -1
    ),
    "GlobalSelfAttention": lambda s: networks.SelfAttention(**attention(s)),
    # there an edge i -> j is at (i, j)
    "Aggregate": lambda s: networks.GraphConv("input"),
    "Index": lambda s: networks.Sequential(
        networks.Crop(s["idx"][1:], [i + 1 for i in s["idx"][1:]]), networks.Flatten()
    ),
    "ImageResize": lambda s: networks.Resize(
        s["shape"][1:-1], method=s["method"], antialias=s["antialias"]
    ),
}
DECAYS = {
    None: None,
    "exp(-d)": lambda distance: np.exp(-distance),
    "1/(1+d)": lambda distance: 1.0 / (1.0 + distance),
}
JOINTS = {
    "FanInSum": networks.Sum,
    "FanInProd": networks.Product,
    "FanInConcat": networks.Concatenate,
}


def dense(spec):
    """What layers with weights have in common."""
    return {
        "weight_variance": spec["W_std"] ** 2,
        "bias_variance": (spec["b_std"] or 0.0) ** 2,
        "parametrization": spec.get("parameterization", "ntk"),
        "width": spec.get("width", 32),
    }


def convolution(spec):
    size = spec["filter_shape"]
    return {
        **dense(spec),
        "kernel_size": size,
        "stride": spec["strides"] or [1] * len(size),
        "padding": spec["padding"].lower(),
    }


def pool(spec):
    """There no strides means 1, here the window."""
    window = spec["window_shape"]
    return {
        "window": window,
        "stride": spec["strides"] or [1] * len(window),
        "padding": spec["padding"].lower(),
    }


def attention(spec):
    stds = {
        "key": "W_key_std",
        "query": "W_query_std",
        "value": "W_value_std",
        "output": "W_out_std",
        "positional": "W_pos_emb_std",
    }
    return {
        **{f"{name}_variance": spec.get(std, 1.0) ** 2 for name, std in stds.items()},
        "bias_variance": (spec.get("b_std") or 0.0) ** 2,
        "scaling": "linear" if spec["linear_scaling"] else "sqrt",
        "weighting": spec.get("attention_mechanism", "SOFTMAX").lower(),
        "positional": spec.get("pos_emb_type", "NONE").lower(),
        "positional_decay": DECAYS[spec.get("pos_emb_decay_fn")],
        "positional_in_values": spec.get("val_pos_emb", False),
        "positional_exponent": spec.get("pos_emb_p_norm", 2),
        "positional_width": spec.get("n_chan_pos_emb"),
    }


def layer(spec):
    """One layer of the reference's little language as one of ours."""
    if spec["type"] == "serial":
        return networks.Sequential(*layers(spec["layers"]))
    if spec["type"] == "Dense":
        return networks.Dense(**dense(spec))
    return LAYERS[spec["type"]](spec)


def layers(specs):
    """Layers in order, with a fan-out, its branches and their joint made one."""
    found, rest = [], list(specs)
    while rest:
        spec = rest.pop(0)
        if spec["type"] == "FanOut":
            branches, joint = rest.pop(0)["branches"], rest.pop(0)["type"]
            found.append(JOINTS[joint](*map(layer, branches)))
        else:
            found.append(layer(spec))
    return found
