"""The example that reads MNIST and CIFAR-10, on tiny files of their formats."""

import gzip
import importlib.util
import pickle
from pathlib import Path

import numpy as np
import pytest

PATH = Path(__file__).parents[1] / "examples" / "image_files.py"


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("image_files", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pictures(n_samples, shape, seed):
    """Bright in the upper or in the lower half."""
    rng = np.random.default_rng(seed)
    y = np.arange(n_samples) % 2
    images = rng.integers(0, 60, size=(n_samples, *shape), dtype=np.uint8)
    half = shape[0] // 2
    images[y == 0, :half] += 120
    images[y == 1, half:] += 120
    return images, y.astype(np.uint8)


def write_idx(path, array):
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    data = header + array.tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


def write_mnist(folder, end=""):
    for part, n_samples in (("train", 12), ("t10k", 6)):
        images, y = pictures(n_samples, (8, 6), n_samples)
        write_idx(folder / f"{part}-images-idx3-ubyte{end}", images)
        write_idx(folder / f"{part}-labels-idx1-ubyte{end}", y)


def write_cifar10(folder):
    names = *(f"data_batch_{k}" for k in (1, 2)), "test_batch"
    for seed, name in enumerate(names):
        images, y = pictures(6, (32, 32, 3), seed)
        data = np.moveaxis(images, -1, 1).reshape(6, -1)
        batch = {b"data": data, b"labels": y.tolist()}
        (folder / name).write_bytes(pickle.dumps(batch))


@pytest.mark.parametrize("end", ["", ".gz"])
def test_reads_mnist(example, tmp_path, end):
    write_mnist(tmp_path, end)
    images, y, test_images, y_test = example.read(tmp_path)
    expected, labels = pictures(12, (8, 6), 12)
    assert np.array_equal(images, expected[..., None])
    assert np.array_equal(y, labels)
    assert test_images.shape == (6, 8, 6, 1)
    assert y_test.shape == (6,)


def test_reads_cifar10(example, tmp_path):
    write_cifar10(tmp_path)
    images, y, test_images, y_test = example.read(tmp_path)
    expected, labels = zip(*(pictures(6, (32, 32, 3), k) for k in (0, 1)), strict=True)
    assert np.array_equal(images, np.concatenate(expected))
    assert np.array_equal(y, np.concatenate(labels))
    assert np.array_equal(test_images, pictures(6, (32, 32, 3), 2)[0])
    assert y_test.shape == (6,)


def test_classifies_and_resumes(example, tmp_path, capsys):
    write_mnist(tmp_path)
    arguments = [str(tmp_path), "--out", str(tmp_path / "gram.npy")]
    assert example.main(arguments) == 1.0
    assert np.load(tmp_path / "gram.npy").shape == (12, 12)
    assert np.load(tmp_path / "gram_test.npy").shape == (6, 12)
    written = (tmp_path / "gram.npy").stat().st_mtime_ns
    assert example.main([*arguments, "--alpha", "0.1"]) == 1.0
    assert (tmp_path / "gram.npy").stat().st_mtime_ns == written
    with pytest.raises(ValueError, match="gram"):
        example.main([*arguments, "--network", "myrtle"])
    capsys.readouterr()


@pytest.mark.parametrize("network", ["average", "myrtle", "wide_resnet"])
def test_every_network(example, tmp_path, network, capsys):
    write_cifar10(tmp_path)
    options = ["--network", network, "--shrink", "8", "--n-train", "8"]
    out = ["--out", str(tmp_path / "gram.npy")]
    assert example.main([str(tmp_path), *options, *out]) >= 0.5
    assert "accuracy on 6 test images" in capsys.readouterr().out


def test_damaged_files_are_refused(example, tmp_path):
    with pytest.raises(FileNotFoundError, match="train-images-idx3-ubyte"):
        example.read(tmp_path)
    write_mnist(tmp_path)
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match="must have 576 bytes"):
        example.read(tmp_path)
    path.write_bytes(b"GIF89a")
    with pytest.raises(ValueError, match="IDX format"):
        example.read(tmp_path)
