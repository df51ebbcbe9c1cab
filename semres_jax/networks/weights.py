"""Weights of residual networks from files in torchvision's layout: `.safetensors`, or `.pth` by `torch.save`."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx

from semres_jax import _safetensors
from semres_jax._files import refuse_pointer, require_file
from semres_jax.networks import _torch_file
from semres_jax.networks.resnet import ARCHITECTURES, ResNet

# Axes of their arrays in the order of ours: kernels (O, I, H, W) to (H, W, I, O), the classifier (O, I) to (I, O).
_KERNEL, _MATRIX, _VECTOR = (2, 3, 1, 0), (1, 0), (0,)
# Blocks, widths and bottleneck by which a file is told; those we cannot make too, since people will have them.
_KNOWN = {name: parts[:3] for name, parts in ARCHITECTURES.items() if parts[3] == "large"} | {
    "resnet101": ((3, 4, 23, 3), (64, 128, 256, 512), True),
    "resnet152": ((3, 8, 36, 3), (64, 128, 256, 512), True),
}
_OLD_MAGIC = b"l\xfc\x9cF\xf9 j\xa8P\x19"  # 119547037146038801333356, which torch.save before 1.6 pickled first


def load(net: ResNet, path: str | Path, *, classifier: bool = True) -> ResNet:
    """Put the weights of a file into a network.

    The file has torchvision's names (conv1.weight, bn1.running_mean, layer1.0.downsample.0.weight, fc.bias, ...) and
    layouts: kernels (O, I, H, W), classifier (O, I). Its numbers become float32. Images have to be normalised as those
    that the weights were trained on; for torchvision's: RGB in [0, 1], less (0.485, 0.456, 0.406), over
    (0.229, 0.224, 0.225).

    Args:
        net: with the large stem; changed in place, all of it or, when something is wrong, nothing. One made under
            `nnx.eval_shape` gets its numbers here, and none are drawn before.
        path: see `read`.
        classifier: whether to load fc.weight and fc.bias too; False leaves the network's own, for other classes.

    Returns:
        `net`.

    Raises:
        FileNotFoundError: no such file.
        ImportError: a .safetensors file without the package safetensors.
        ValueError: a file that `read` refuses; names that the network lacks or the file lacks; another shape; numbers
            that are not finite, not float, or negative variances; a network with the small stem.

    Example:
        >>> import tempfile
        >>> from flax import nnx
        >>> from safetensors.numpy import save_file
        >>> from semres_jax.networks import resnet, weights
        >>> kernels = {"conv1": (8, 3, 7, 7), "layer1.0.conv1": (8, 8, 3, 3), "layer1.0.conv2": (8, 8, 3, 3)}
        >>> entries = {f"{name}.weight": np.full(shape, 0.5, np.float32) for name, shape in kernels.items()}
        >>> for norm in ("bn1", "layer1.0.bn1", "layer1.0.bn2"):
        ...     for part in ("weight", "bias", "running_mean", "running_var"):
        ...         entries[f"{norm}.{part}"] = np.ones(8, np.float32)
        >>> entries |= {"fc.weight": np.ones((10, 8), np.float32), "fc.bias": np.ones(10, np.float32)}
        >>> net = nnx.eval_shape(lambda: resnet.ResNet(10, (1,), (8,), rngs=nnx.Rngs(0)))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_file(entries, Path(folder, "tiny.safetensors"))
        ...     net = weights.load(net, Path(folder, "tiny.safetensors"))
        >>> net.stem.kernel.shape, float(net.stem.kernel[...].min())
        ((7, 7, 3, 8), 0.5)
    """
    if not net.large:
        raise ValueError("net must have the large stem, as in resnet18, resnet34, resnet50; got the small one")
    file = str(path)
    left_out = () if classifier else ("fc.",)
    entries = {name: value for name, value in read(path).items() if not name.startswith(left_out)}
    entries = {name: value for name, value in entries.items() if not name.endswith(".num_batches_tracked")}
    places = {name: place for name, place in _places(net) if not name.startswith(left_out)}
    _check_names(file, entries, places)
    checked = [(variable, _checked(file, name, entries, variable, axes)) for name, (variable, axes) in places.items()]
    for variable, value in checked:
        variable.set_value(jnp.asarray(value))
    return net


def read(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of a file by name, as they are there.

    The kind of file is told by its first bytes, not its name. A .pth file needs no PyTorch, and nothing but tensors,
    dicts, lists and plain values is ever built from it. A state dict may be inside a dict as "state_dict" or "model",
    and a "module." before all names (of nn.DataParallel) is taken off.

    Args:
        path: safetensors (needs the extra `weights`), or what torch.save of PyTorch 1.6 and later wrote.

    Returns:
        Arrays of the file's dtypes, perhaps views of the file.

    Raises:
        FileNotFoundError: no such file.
        ImportError: a .safetensors file without the package safetensors.
        ValueError: truncated, corrupt or of another kind; an older PyTorch file; no dict of tensors.

    Example:
        >>> import tempfile
        >>> from safetensors.numpy import save_file
        >>> from semres_jax.networks import weights
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_file({"module.fc.bias": np.arange(3.0)}, Path(folder, "bias.safetensors"))
        ...     weights.read(Path(folder, "bias.safetensors"))
        {'fc.bias': array([0., 1., 2.])}
    """
    path = Path(path)
    require_file(path, "file of weights")
    with path.open("rb") as file:
        start = file.read(512)
    refuse_pointer(path, start)
    if start.startswith(b"PK"):
        content = _torch_file.read(path)
    elif start[8:9] == b"{" or (path.suffix == ".safetensors" and start):
        opened = _safetensors.opened(path, "file of weights")
        content = {name: _safetensors.array(opened, name, path) for name in opened.keys()}  # noqa: SIM118
    elif _OLD_MAGIC in start[:32] or start[257:262] == b"ustar":
        raise ValueError(
            f"{str(path)!r} is in the format of PyTorch before 1.6; "
            "write it anew by torch.save(torch.load(path), path), or as .safetensors"
        )
    else:
        raise ValueError(f"{str(path)!r} is truncated or no file of weights; must be safetensors or by torch.save")
    for name in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(name), dict):
            content = content[name]
    if not isinstance(content, dict) or not content or not all(isinstance(name, str) for name in content):
        raise ValueError(f"{str(path)!r} holds no dict of tensors by name; save net.state_dict() with torch.save")
    for name, value in content.items():
        if not isinstance(value, np.ndarray):
            kind = type(value).__name__
            raise ValueError(f"{str(path)!r} has {name!r} of type {kind}, not a tensor; save net.state_dict()")
    prefix = "module." if all(name.startswith("module.") for name in content) else ""
    return {name.removeprefix(prefix): value for name, value in content.items()}


def _places(net: ResNet) -> Iterator[tuple[str, tuple[Any, tuple[int, ...]]]]:
    """Each of torchvision's names with the variable that it belongs in and the order of its axes there."""

    def norm(name: str, layer: nnx.BatchNorm) -> Iterator[Any]:
        parts = {"weight": layer.scale, "bias": layer.bias, "running_mean": layer.mean, "running_var": layer.var}
        return ((f"{name}.{part}", (variable, _VECTOR)) for part, variable in parts.items())

    yield "conv1.weight", (net.stem.kernel, _KERNEL)
    yield from norm("bn1", net.stem_norm)
    for i, stage in enumerate(net.stages, 1):
        for j, block in enumerate(stage):
            at = f"layer{i}.{j}"
            for k, (convolution, layer) in enumerate(zip(block.convolutions, block.norms, strict=True), 1):
                yield f"{at}.conv{k}.weight", (convolution.kernel, _KERNEL)
                yield from norm(f"{at}.bn{k}", layer)
            if block.shortcut is not None:
                yield f"{at}.downsample.0.weight", (block.shortcut.kernel, _KERNEL)
                yield from norm(f"{at}.downsample.1", block.shortcut_norm)
    yield "fc.weight", (net.classifier.kernel, _MATRIX)
    yield "fc.bias", (net.classifier.bias, _VECTOR)


def _check_names(file: str, entries: dict[str, np.ndarray], places: dict[str, Any]) -> None:
    missing = [name for name in places if name not in entries]
    extra = [name for name in entries if name not in places]
    if not missing and not extra:
        return
    names, has, more, there = (missing, "has no", "nor", "has") if missing else (extra, "has", "and", "has not")
    others = f" ({more} {len(names) - 1} more)" if len(names) > 1 else ""
    hint = _looks_like(entries) or (f"; names there are like {extra[0]!r}" if extra else "")
    raise ValueError(f"{file!r} {has} {names[0]!r}{others}, which the network {there}{hint}")


def _checked(
    file: str, name: str, entries: dict[str, np.ndarray], variable: nnx.Variable, axes: tuple[int, ...]
) -> np.ndarray:
    """An entry as float32 in our layout."""
    value = entries[name]
    wanted = tuple(variable.shape[axes.index(axis)] for axis in range(len(axes)))
    if value.shape != wanted:
        hint = "; classifier=False leaves the network's own" if name.startswith("fc.") else _looks_like(entries)
        raise ValueError(f"{file!r} has {name!r} of shape {value.shape} where the network has {wanted}{hint}")
    if not jnp.issubdtype(value.dtype, jnp.floating):
        raise ValueError(f"{file!r} has {name!r} of dtype {value.dtype}; must be floating-point numbers")
    with np.errstate(over="ignore"):  # float64 beyond float32 becomes infinite and is told below
        numbers = np.array(value.transpose(axes), np.float32, order="C")
    bad = int(np.sum(~np.isfinite(numbers)))
    if bad:
        raise ValueError(f"{file!r} has NaN or infinity in {name!r}, {bad} of {numbers.size} numbers; must be finite")
    if name.endswith(".running_var") and numbers.min() < 0:
        raise ValueError(f"{file!r} has a variance of {numbers.min():g} in {name!r}; must be at least 0")
    return numbers


def _looks_like(entries: dict[str, np.ndarray]) -> str:
    """The end of a message that says which network's the file is, or nothing where that cannot be told."""
    matches = (re.match(r"layer(\d+)\.(\d+)\.", name) for name in entries)
    blocks = {stage: block + 1 for stage, block in sorted((int(x[1]), int(x[2])) for x in matches if x)}
    kernels = [entries.get(f"layer{stage}.0.conv1.weight") for stage in blocks]
    widths = tuple(kernel.shape[0] for kernel in kernels if kernel is not None and kernel.ndim)
    parts = tuple(blocks.values()), widths, "layer1.0.conv3.weight" in entries
    names = [name for name, known in _KNOWN.items() if known == parts]
    return f"; the file looks like {names[0]}" if names else ""
