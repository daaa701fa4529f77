"""A zoo of small networks on images, sequences and graphs."""

import numpy as np
from conftest import read_only
from zoo import FREE, dense

from sklearn_ntk.networks import (
    GELU,
    AvgPool,
    Concatenate,
    Conv,
    ConvTranspose,
    Crop,
    Dropout,
    Erf,
    Flatten,
    GlobalAvgPool,
    GlobalSumPool,
    GraphConv,
    InputScale,
    LayerNorm,
    LocalConv,
    Product,
    ReLU,
    Residual,
    Resize,
    SelfAttention,
    Sequential,
    Sum,
    SumPool,
)

SHAPE = (4, 3, 2)
SEQUENCE = (12, 2)
N_FEATURES = 24


def conv(kernel_size=3, stride=1, padding="same", layer=Conv, **options):
    """A convolution whose two variances are free."""
    return layer(
        kernel_size, stride, padding, 1.3, 0.2, weight_variance_bounds=FREE, **options
    )


def decay(distance):
    return np.exp(-distance)


def attention(**options):
    """Attention all of whose variances are free."""
    names = ["key", "value", "bias", "positional"]
    return SelfAttention(
        **{f"{name}_variance": 0.7 + 0.1 * k for k, name in enumerate(names)},
        **{f"{name}_variance_bounds": FREE for name in names},
        **options,
    )


def on_images(*layers, shape=SHAPE, **options):
    return Sequential(*layers, input_shape=shape, **options)


RING = 0.5 * (np.eye(12, k=1) + np.eye(12, k=-1)) + np.eye(12)

NETWORKS = {
    "flatten": on_images(
        conv(), ReLU(), conv(2, 1, "valid"), ReLU(), Flatten(), dense()
    ),
    "average": on_images(
        conv(), ReLU(), conv(3, 2, "circular"), Erf(), GlobalAvgPool(), dense()
    ),
    "readout": on_images(
        InputScale(2.0, length_scale_bounds=FREE),
        conv(),
        ReLU(),
        GlobalSumPool(),
        dense(),
        GELU(),
        dense(),
        output_scale="unit",
    ),
    "pools": on_images(
        conv(),
        ReLU(),
        AvgPool(2, 1, "same", count_padding=False),
        conv(2),
        ReLU(),
        SumPool((2, 1)),
        dense(),
        Erf(),
        Flatten(),
        dense(),
    ),
    "residual": on_images(
        conv(),
        Residual(ReLU(), conv(3, 2), shortcut=conv(1, 2)),
        LayerNorm(),
        ReLU(),
        GlobalAvgPool(),
        dense(),
    ),
    "layer_norm": on_images(
        conv(),
        LayerNorm((0, 2)),
        ReLU(),
        conv(),
        LayerNorm((0, 1, 2)),
        ReLU(),
        Flatten(),
    ),
    "transposed": on_images(
        conv(3, 2, layer=ConvTranspose), ReLU(), conv(3, 2), ReLU(), Flatten(), dense()
    ),
    "local": on_images(
        conv(layer=LocalConv),
        ReLU(),
        conv(layer=LocalConv, padding="valid"),
        ReLU(),
        GlobalAvgPool(),
        dense(),
    ),
    "resized": on_images(
        conv(), ReLU(), Resize((3, 4)), conv(), ReLU(), Crop(1), Flatten(), dense()
    ),
    "dropout": on_images(
        conv(), ReLU(), Dropout(0.3), conv(), ReLU(), GlobalAvgPool(), dense()
    ),
    "branches": on_images(
        Concatenate(
            Sequential(conv(1, width=8), ReLU()), Sequential(conv(3, width=16), ReLU())
        ),
        conv(),
        Sum(conv(), Sequential(Erf(), conv())),
        Product(conv(1), Sequential(ReLU(), conv(1))),
        GlobalAvgPool(),
        dense(),
    ),
    "standard": on_images(
        conv(parametrization="standard", width=16),
        ReLU(),
        conv(parametrization="standard", width=8),
        ReLU(),
        Flatten(),
        dense(parametrization="standard"),
    ),
    "frozen": on_images(
        conv(trainable=False),
        ReLU(),
        conv(bias_init="zeros"),
        ReLU(),
        Flatten(),
        dense(),
    ),
    "sequence": on_images(
        conv(), ReLU(), conv(3, 2, "circular"), ReLU(), Flatten(), shape=SEQUENCE
    ),
    "volume": on_images(conv(2), ReLU(), GlobalAvgPool(), dense(), shape=(2, 2, 3, 2)),
    "attention": on_images(
        dense(),
        attention(positional="sum", positional_decay=decay),
        ReLU(),
        attention(positional="concat", positional_in_values=True),
        GlobalAvgPool(),
        dense(),
        shape=SEQUENCE,
    ),
    "attention_identity": on_images(
        dense(),
        attention(scaling="sqrt", weighting="identity", positional="sum"),
        ReLU(),
        Flatten(),
        dense(),
        shape=SEQUENCE,
    ),
    "attention_relu": on_images(
        conv(), ReLU(), attention(weighting="relu"), ReLU(), Flatten(), dense()
    ),
    "graph": on_images(
        GraphConv(RING),
        dense(),
        ReLU(),
        GraphConv(RING),
        dense(),
        ReLU(),
        GlobalAvgPool(),
        dense(),
        shape=SEQUENCE,
    ),
    "own_graphs": on_images(
        GraphConv("input"),
        dense(),
        ReLU(),
        GraphConv("input"),
        dense(),
        ReLU(),
        Flatten(),
        dense(),
        shape=(4, 6),
    ),
}

MISSING = -9.0  # of a pixel that does not exist
END = GlobalAvgPool(), dense()

# a padded sequence has the kernel of the sequence itself
BLIND = {
    "conv": [conv(), ReLU(), conv(2), ReLU(), *END],
    "scaled": [conv(), ReLU(), *END],  # behind an InputScale
    "sums": [conv(), ReLU(), conv(), Erf(), GlobalSumPool(), dense(), ReLU(), dense()],
    "valid": [conv(3, 1, "valid"), ReLU(), conv(1), ReLU(), *END],
    "means": [conv(), ReLU(), AvgPool(3, 1, "same", False), conv(), Erf(), *END],
    "pools": [
        *(conv(), ReLU(), AvgPool(2, 1), SumPool(3, 1, "same"), conv(), Erf()),
        *END,
    ],
    "attention": [
        dense(),
        attention(positional="sum", positional_decay=decay),
        ReLU(),
        attention(positional="concat", positional_in_values=True),
        *END,
    ],
    "identity": [dense(), attention(weighting="identity"), ReLU(), *END],
    "relu": [dense(), attention(weighting="relu"), ReLU(), *END],
    "abs": [dense(), attention(weighting="abs"), ReLU(), *END],
    "sqrt": [
        dense(),
        attention(
            scaling="sqrt",
            weighting="identity",
            positional="sum",
            positional_in_values=True,
        ),
        ReLU(),
        *END,
    ],
    "normed": [dense(), LayerNorm((0, 1)), ReLU(), conv(), LayerNorm(), ReLU(), *END],
    "transposed": [conv(3, 2, layer=ConvTranspose), ReLU(), conv(), ReLU(), *END],
    "grown": [
        conv(2, 3, "valid", ConvTranspose),
        ReLU(),
        conv(3, 1, "valid", ConvTranspose),
        ReLU(),
        *END,
    ],
    "branches": [
        Concatenate(Sequential(conv(1), ReLU()), Sequential(conv(), ReLU())),
        conv(),
        Residual(ReLU(), conv()),
        Product(conv(1), Sequential(ReLU(), conv(1))),
        *END,
    ],
    "cropped": [conv(), ReLU(), Crop(1), conv(), ReLU(), *END],
    "dropout": [conv(), ReLU(), Dropout(0.3), conv(), ReLU(), *END],
}


def padded(sequences, length, value):
    """Rows of sequences of features, with `value` behind each."""
    rows = np.full((len(sequences), length, sequences[0].shape[1]), value)
    for row, sequence in zip(rows, sequences, strict=True):
        row[: len(sequence)] = sequence
    return read_only(rows.reshape(len(rows), -1))
