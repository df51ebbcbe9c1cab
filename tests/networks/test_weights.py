"""Weights from files, against NumPy, against numbers that PyTorch computed, and against PyTorch where it is installed.

The stored numbers are made by `scripts/make_resnet_reference.py`. Differences are relative to a layer's root mean
square; with weights that were mixed up they are near 1.
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from semres_jax.networks import weights
from tests.networks import tiny as made, torch_archive, torch_resnets
from tests.networks.test_weight_errors import refused

# Float32 sums in another order differ by some 1e-6 of a layer; this leaves room for the amplification of 50 layers.
CLOSE = 1e-4
PICTURES = {"resnet18": (2, 64), "resnet34": (2, 64), "resnet50": (2, 32)}
REFERENCE = Path(__file__).parent / "resnet_reference.npz"


def _difference(ours, expected) -> float:
    ours, expected = np.asarray(ours, np.float64), np.asarray(expected, np.float64)
    assert ours.shape == expected.shape
    return float(np.max(np.abs(ours - expected)) / np.sqrt(np.mean(expected**2)))


@nnx.jit(static_argnames="train")
def _layers(net, pictures, train=False):
    """The activations of a network, named as in `torch_resnets.torch_network`."""
    outputs = {"conv1": net.stem(pictures)}
    x = jax.nn.relu(net.stem_norm(outputs["conv1"], use_running_average=not train))
    outputs["stem"] = x = nnx.max_pool(x, (3, 3), (2, 2), ((1, 1), (1, 1)))
    for i, stage in enumerate(net.stages, 1):
        for j, block in enumerate(stage):
            outputs[f"layer{i}.{j}"] = x = block(x, train=train)
    return outputs | {"embedding": net.embed(pictures, train=train), "scores": net(pictures, train=train)}


# Against NumPy


def _numpy_scores(entries: dict[str, np.ndarray], pictures: np.ndarray) -> np.ndarray:
    """The formula of He et al. 2016 in float64, NCHW, straight from the names."""

    def convolve(x, name, stride):
        kernel = entries[f"{name}.weight"].astype(np.float64)
        size = kernel.shape[2]
        x = np.pad(x, ((0, 0), (0, 0), (size // 2,) * 2, (size // 2,) * 2))
        windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), (2, 3))[:, :, ::stride, ::stride]
        return np.einsum("bchwij,ocij->bohw", windows, kernel)

    def norm(x, name):
        parts = ("weight", "bias", "running_mean", "running_var")
        scale, bias, mean, var = (entries[f"{name}.{part}"].astype(np.float64)[:, None, None] for part in parts)
        return (x - mean) / np.sqrt(var + 1e-5) * scale + bias

    x = np.maximum(norm(convolve(pictures.astype(np.float64).transpose(0, 3, 1, 2), "conv1", 2), "bn1"), 0)
    x = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))  # zeros do for maxima of what is not negative
    x = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (2, 3))[:, :, ::2, ::2].max((-1, -2))
    last = 3 if "layer1.0.conv3.weight" in entries else 2
    for i, count in enumerate(made.TINY["blocks"], 1):
        for j in range(count):
            at, y = f"layer{i}.{j}", x
            first = 2 if i > 1 and j == 0 else 1
            for k in range(1, last + 1):
                y = norm(convolve(y, f"{at}.conv{k}", first if k == last - 1 else 1), f"{at}.bn{k}")
                y = np.maximum(y, 0) if k < last else y
            if f"{at}.downsample.0.weight" in entries:
                x = norm(convolve(x, f"{at}.downsample.0", first), f"{at}.downsample.1")
            x = np.maximum(x + y, 0)
    return x.mean((2, 3)) @ entries["fc.weight"].T.astype(np.float64) + entries["fc.bias"]


@pytest.mark.thorough(keep=1)
@pytest.mark.parametrize("bottleneck", [False, True])
def test_small_networks_compute_what_numpy_does(tmp_path, bottleneck):
    entries, pictures = made.entries(bottleneck), torch_resnets.images(2, 20)
    ours = weights.load(made.tiny(bottleneck), made.save(tmp_path / "a.safetensors", entries))
    assert made.same(ours, weights.load(made.tiny(bottleneck), made.save(tmp_path / "a.pth", entries)))
    assert _difference(ours(pictures), _numpy_scores(entries, pictures)) < CLOSE


# Against stored numbers of PyTorch


@pytest.mark.thorough(keep=1)
@pytest.mark.parametrize(("name", "suffix"), [("resnet18", "pth"), ("resnet50", "safetensors")])
def test_outputsare_those_of_torch_as_stored(tmp_path, name, suffix):
    net = weights.load(made.empty(name), made.save(tmp_path / f"{name}.{suffix}", torch_resnets.weights_of(name)))
    outputs = _layers(net, torch_resnets.images(*PICTURES[name]))
    with np.load(REFERENCE) as stored:
        layers = stored[f"{name}/names"].tolist()
        assert {*layers, "embedding", "scores"} == outputs.keys()
        for layer, samples, (mean, std) in zip(
            layers, stored[f"{name}/samples"], stored[f"{name}/moments"], strict=True
        ):
            scale = np.hypot(mean, std)
            assert np.max(np.abs(torch_resnets.sample(outputs[layer]) - samples)) < CLOSE * scale, layer
            assert abs(np.mean(outputs[layer]) - mean) < CLOSE * scale, layer
            assert abs(np.std(outputs[layer]) - std) < CLOSE * scale, layer
        for end in ("embedding", "scores"):
            assert _difference(outputs[end], stored[f"{name}/{end}"]) < CLOSE, end


# What files may be like


def test_views_of_shared_storages_are_read_as_torch_means_them(tmp_path):
    storage = np.arange(100, dtype=np.float32)
    content = {
        "transposed": torch_archive.Tensor(storage, 10, (3, 4), (1, 3)),
        "repeated": torch_archive.Tensor(storage, 7, (2, 3), (0, 5)),
        "number": torch_archive.Tensor(storage, 99, (), ()),
        "empty": torch_archive.Tensor(storage, 0, (0, 3), (3, 1)),
    }
    outputs = weights.read(torch_archive.write(tmp_path / "views.pt", content))
    np.testing.assert_array_equal(outputs["transposed"], storage[10:22].reshape(4, 3).T)
    np.testing.assert_array_equal(outputs["repeated"], [[7, 12, 17]] * 2)
    assert outputs["number"] == 99
    assert outputs["empty"].shape == (0, 3)


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("dtype", [np.float64, np.float16, jnp.bfloat16, np.int64])
def test_dtypes_and_byte_orders_of_torch(tmp_path, dtype, order):
    expected = np.array([[1, -2.5, 300], [0, 4, 5]]).astype(dtype)
    outputs = weights.read(torch_archive.write(tmp_path / "x.pth", {"x": expected}, order=order))["x"]
    assert outputs.dtype == expected.dtype
    np.testing.assert_array_equal(outputs, expected)


@pytest.mark.parametrize("name", ["a.safetensors", "a.pth"])
@pytest.mark.parametrize("dtype", [np.float64, np.float16, jnp.bfloat16])
def test_weights_of_other_precisions_become_float32(tmp_path, name, dtype):
    entries = {
        key: value.astype(dtype) if value.dtype == np.float32 else value for key, value in made.entries().items()
    }
    net = weights.load(made.tiny(), made.save(tmp_path / name, entries))
    assert net.classifier.kernel[...].dtype == jnp.float32
    np.testing.assert_array_equal(net.classifier.kernel[...], entries["fc.weight"].astype(np.float32).T)


def test_wrapped_state_dicts_and_prefixes(tmp_path):
    plain = weights.load(made.tiny(), made.save(tmp_path / "plain.pth", made.entries()))
    parallel = {f"module.{name}": value for name, value in made.entries().items()}
    contents = [
        {"epoch": 3, "arch": "resnet18", "state_dict": parallel, "optimizer": {"groups": [{"step": (1, True)}]}},
        {"model": made.entries()},
        # Parameters rather than tensors, and no counters, as PyTorch before 0.4 had none.
        {
            name: torch_archive.Call("torch._utils", "_rebuild_parameter", (value, True, {}))
            for name, value in made.entries().items()
            if "num_batches" not in name
        },
    ]
    for content in contents:
        path = torch_archive.write(tmp_path / "wrapped.pth.tar", content, root="model_best")
        assert made.same(weights.load(made.tiny(), path), plain)
    assert made.same(weights.load(made.tiny(), made.save(tmp_path / "parallel.safetensors", parallel)), plain)


def test_another_classifier_stays(tmp_path):
    other = torch_resnets.random_weights(made.TINY["blocks"], False, 2, made.TINY["widths"], classes=7)
    net = weights.load(made.tiny(classes=7), made.save(tmp_path / "other.pth", other))
    path = made.save(tmp_path / "a.pth", made.entries())
    with pytest.raises(ValueError, match=r"'fc.weight' of shape \(5, 8\) where the network has \(7, 8\); classifier="):
        weights.load(net, path)
    assert weights.load(net, path, classifier=False) is net
    np.testing.assert_array_equal(net.classifier.kernel[...], other["fc.weight"].T)
    np.testing.assert_array_equal(net.stem.kernel[...], made.entries()["conv1.weight"].transpose(2, 3, 1, 0))
    without = made.entries(**{"fc.weight": None, "fc.bias": None})
    weights.load(net, made.save(tmp_path / "b.pth", without), classifier=False)
    with pytest.raises(ValueError, match=r"has no 'fc.weight' \(nor 1 more\), which the network has"):
        weights.load(net, tmp_path / "b.pth")


# Against PyTorch itself


def _trained(torch, name: str):
    """A network in PyTorch whose weights and averages are none of those it starts with."""
    torch.manual_seed(3)
    net = torch_resnets.torch_network(*torch_resnets.NETWORKS[name]).train()
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.2 * torch.randn_like(parameter))
    for step in range(5):
        torch_resnets.torch_layers(net, torch_resnets.images(8, 64, seed=100 + step))
    return net


def _worst(name: str, outputs: dict, expected: dict) -> float:
    assert outputs.keys() == expected.keys()
    differences = {layer: _difference(outputs[layer], x) for layer, x in expected.items()}
    print(name, *(f"{layer} {difference:.1e}" for layer, difference in differences.items()))
    return max(differences.values())


@pytest.mark.parametrize("name", list(torch_resnets.NETWORKS))
def test_outputsare_those_of_torch(tmp_path, name):
    torch = pytest.importorskip("torch")
    theirs = _trained(torch, name).eval()
    torch.save(theirs.state_dict(), tmp_path / "net.pth")
    net, pictures = weights.load(made.empty(name), tmp_path / "net.pth"), torch_resnets.images(2, 64)
    assert _worst(name, _layers(net, pictures), torch_resnets.torch_layers(theirs, pictures)) < CLOSE


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", ["resnet18", "resnet34", pytest.param("resnet50", marks=pytest.mark.slow)])
def test_outputsare_those_of_torch_when_normalised_by_the_batch(tmp_path, name):
    """In float64: normalised by their batch, networks of random weights enlarge differences from layer to layer.

    In float32 PyTorch itself is 4e-4 from its own float64 at the end of resnet50.
    """
    torch = pytest.importorskip("torch")
    theirs = _trained(torch, name)
    torch.save(theirs.state_dict(), tmp_path / "net.pth")
    net, pictures = weights.load(made.empty(name, dtype=jnp.float64), tmp_path / "net.pth"), torch_resnets.images(4, 64)
    nnx.update(net, jax.tree.map(lambda x: x.astype(jnp.float64), nnx.state(net)))
    expected = torch_resnets.torch_layers(theirs.double(), pictures.astype(np.float64))
    assert _worst(name, _layers(net, pictures, train=True), expected) < CLOSE


def test_files_by_torch(tmp_path):
    torch = pytest.importorskip("torch")
    entries = {name: torch.from_numpy(value) for name, value in made.entries().items()}
    plain = weights.load(made.tiny(), made.save(tmp_path / "plain.pth", made.entries()))
    path = tmp_path / "net.pth"

    net = torch_resnets.torch_network(made.TINY["blocks"], False, made.TINY["widths"], classes=5)
    net.load_state_dict(entries)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.0, momentum=0.9)
    sum(parameter.sum() for parameter in net.parameters()).backward()
    optimizer.step()
    checkpoint = {"epoch": 3, "best": torch.tensor(0.5), "optimizer": optimizer.state_dict()}
    contents = [
        net.state_dict(),
        net.state_dict(keep_vars=True),  # parameters
        checkpoint | {"state_dict": torch.nn.DataParallel(net).state_dict()},
        {"model": {name: torch.stack([x, x + 1], -1)[..., 0] for name, x in entries.items()}},  # strides
        {name: torch.stack([x + 1, x])[1] for name, x in entries.items()},  # offsets
    ]
    for content in contents:
        torch.save(content, path)
        assert made.same(weights.load(made.tiny(), path), plain)
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        torch.save({name: x.to(dtype) if x.is_floating_point() else x for name, x in entries.items()}, path)
        weights.load(made.tiny(), path)
        expected = entries["conv1.weight"].to(dtype).double().numpy()
        np.testing.assert_array_equal(weights.read(path)["conv1.weight"].astype(np.float64), expected)
    torch.save(entries, path, _use_new_zipfile_serialization=False)
    refused(path, "is in the format of PyTorch before 1.6")
    torch.save(torch.nn.Linear(3, 2), path)
    refused(path, "holds torch.nn.modules.linear.Linear and only tensors are read")
