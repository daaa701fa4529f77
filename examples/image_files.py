"""
==============================
MNIST and CIFAR-10 from files
==============================

Classify the images of files that you have, by the kernel of an infinitely wide
convolutional network. Nothing is downloaded. The folder holds either the four files of
MNIST in IDX format (``train-images-idx3-ubyte`` and so on, gzipped or not;
Fashion-MNIST and KMNIST have the same) or CIFAR-10 in its Python version
(``data_batch_1`` to ``data_batch_5`` and ``test_batch``)::

    python image_files.py mnist/ --n-train 1000 --out mnist.npy
    python image_files.py cifar-10-batches-py/ --network myrtle --shrink 2

The kernel matrices are written block by block to the file that ``--out`` names and one
beside it. When the run is interrupted, start it again with the same arguments: it goes
on with the block it was at. Once they are complete, ``--alpha`` is tried in no time.

The batches of CIFAR-10 are pickles, which can run code when they are read: read those
only that come from where you trust.
"""

import argparse
import gzip
import pickle
from pathlib import Path

import numpy as np

from sklearn_ntk import NTK, NTKClassifier, compute_gram
from sklearn_ntk.networks import ConvNet, Myrtle, WideResNet

NETWORKS = {
    "flatten": lambda shape: ConvNet(5, "flatten", input_shape=shape),
    "average": lambda shape: ConvNet(5, "average", input_shape=shape),
    "myrtle": lambda shape: Myrtle(5, input_shape=shape),
    "wide_resnet": lambda shape: WideResNet(10, input_shape=shape),
}


def read_idx(path):
    """An array of bytes in IDX format: two zeros, the type, the shape, the data."""
    path = Path(path)
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else None
    data = path.read_bytes() if data is None else data
    if len(data) < 4 or data[:3] != b"\x00\x00\x08":
        raise ValueError(f"{path} is not a file of unsigned bytes in IDX format.")
    n_axes = data[3]
    shape = np.frombuffer(data, ">u4", count=n_axes, offset=4).astype(int)
    values = np.frombuffer(data, np.uint8, offset=4 + 4 * n_axes)
    if values.size != np.prod(shape):
        raise ValueError(
            f"{path} must have {np.prod(shape)} bytes of data, for an array of shape "
            f"{tuple(shape)}. It has {values.size}."
        )
    return values.reshape(shape)


def read_mnist(folder, part):
    """Images of shape (n, height, width, 1) and labels; part is "train" or "t10k"."""
    found = []
    for what in ("images-idx3-ubyte", "labels-idx1-ubyte"):
        names = [f"{part}-{what}{end}" for end in ("", ".gz")]
        paths = [folder / name for name in names if (folder / name).exists()]
        if not paths:
            raise FileNotFoundError(f"There is no {names[0]} (or .gz) in {folder}.")
        found.append(read_idx(paths[0]))
    return found[0][..., None], found[1]


def read_cifar10(folder, names):
    """Images of shape (n, 32, 32, 3) and labels from batches of the Python version."""
    images, labels = [], []
    for name in names:
        with open(folder / name, "rb") as file:
            batch = pickle.load(file, encoding="bytes")
        images.append(np.asarray(batch[b"data"]).reshape(-1, 3, 32, 32))
        labels.append(np.asarray(batch[b"labels"]))
    return np.moveaxis(np.concatenate(images), 1, -1), np.concatenate(labels)


def read(folder):
    """Training and test images with their labels, whichever set it is."""
    folder = Path(folder)
    batches = sorted(path.name for path in folder.glob("data_batch_*"))
    if batches:
        train, test = (
            read_cifar10(folder, names) for names in (batches, ["test_batch"])
        )
    else:
        train, test = (read_mnist(folder, part) for part in ("train", "t10k"))
    return *train, *test


def shrunk(images, factor):
    """Means over squares of pixels, between 0 and 1."""
    n, height, width, channels = images.shape
    height, width = height // factor, width // factor
    images = images[:, : height * factor, : width * factor] / 255.0
    return images.reshape(n, height, factor, width, factor, channels).mean(axis=(2, 4))


def main(arguments=None):
    parser = argparse.ArgumentParser(description="NTK classification of image files.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--network", choices=NETWORKS, default="flatten")
    parser.add_argument("--n-train", type=int, default=1000)
    parser.add_argument("--n-test", type=int, default=1000)
    parser.add_argument("--shrink", type=int, default=1, help="by means over squares")
    parser.add_argument("--alpha", type=float, default=1e-3, help="regularisation")
    parser.add_argument("--out", type=Path, default=Path("image_files.npy"))
    options = parser.parse_args(arguments)

    images, y, test_images, y_test = read(options.folder)
    images = shrunk(images[: options.n_train], options.shrink)
    test_images = shrunk(test_images[: options.n_test], options.shrink)
    y, y_test = y[: len(images)], y_test[: len(test_images)]

    # one mean and one standard deviation for all pixels, which keep their common scale
    centre, scale = images.mean(), images.std()
    X = ((images - centre) / scale).reshape(len(images), -1)
    X_test = ((test_images - centre) / scale).reshape(len(test_images), -1)

    kernel = NTK(NETWORKS[options.network](images.shape[1:]))
    print(f"{kernel!r} of {len(X)} and {len(X_test)} images")
    # a file that was computed with other arguments is refused
    settings = {"resume": True, "verbose": 1}
    out, out_test = (
        options.out.with_stem(options.out.stem + end) for end in ("", "_test")
    )
    K = compute_gram(kernel, X, out=out, **settings)
    K_test = compute_gram(kernel, X_test, X, out=out_test, **settings)

    model = NTKClassifier("precomputed", alpha=options.alpha).fit(K, y)
    score = model.score(K_test, y_test)
    print(f"accuracy on {len(y_test)} test images: {score:.4f}")
    return score


if __name__ == "__main__":
    main()
