"""Files of weights that are broken, hostile, or of another network: one clear line each, and nothing changes."""

import os
import pickle
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from flax import nnx

from semres_jax.networks import resnet, weights
from tests.networks import tiny as made, torch_archive, torch_resnets


def refused(path: Path, message: str, net: resnet.ResNet | None = None) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        weights.load(net or made.tiny(), path)
    assert repr(str(path)) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_such_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file of weights '.*resnet18.pth'"):
        weights.load(made.tiny(), tmp_path / "resnet18.pth")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is truncated or no file of weights; must be safetensors or by torch.save"),
        (b"<!DOCTYPE html><html>", "is truncated or no file of weights"),
        (
            b"\x80\x02" + pickle.dumps(0x1950A86A20F9469CFC6C, 2)[2:] + b"\x80\x02M\xe9\x03.",
            r"is in the format of PyTorch before 1.6; write it anew by torch.save\(torch.load\(path\), path\)",
        ),
    ],
)
def test_files_of_other_kinds(tmp_path, content, message):
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    refused(path, message)


def test_the_oldest_format_is_a_tar(tmp_path):
    (tmp_path / "sys_info").write_bytes(b"something")
    with tarfile.open(tmp_path / "old.pth", "w") as archive:
        archive.add(tmp_path / "sys_info", "sys_info")
    refused(tmp_path / "old.pth", "is in the format of PyTorch before 1.6")


@pytest.mark.parametrize("name", ["a.safetensors", "a.pth"])
def test_truncated_and_corrupt_files(tmp_path, name):
    content = made.save(tmp_path / name, made.entries()).read_bytes()
    for part in (5, 100, 1000, len(content) // 2, len(content) - 3):
        (tmp_path / name).write_bytes(content[:part])
        refused(tmp_path / name, "is truncated or")
    where = content.index(b"layer1.0.conv1.weight")
    (tmp_path / name).write_bytes(content[: where - 4] + b"\xff\xff\xff\xff" + content[where:])
    refused(tmp_path / name, "is truncated or corrupt")


def _archive(path: Path, **entries: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name.replace("__", "/").replace("_pkl", ".pkl"), content)
    return path


def test_other_archives(tmp_path):
    path = tmp_path / "a.pth"
    refused(_archive(path, readme=b"hello"), "is a zip archive without 'data.pkl', so not by torch.save")
    refused(_archive(path, a__data_pkl=b"", a__constants_pkl=b""), "is a TorchScript program; save net.state_dict")
    refused(_archive(path, a__data_pkl=b""), r"is truncated or corrupt \(ValueError: pickle exhausted")
    refused(torch_archive.write(path, [1, 2]), "holds no dict of tensors by name; save net.state_dict")
    refused(torch_archive.write(path, {}), "holds no dict of tensors by name")
    refused(torch_archive.write(path, {3: np.ones(2)}), "holds no dict of tensors by name")
    refused(torch_archive.write(path, {"epoch": 3}), "has 'epoch' of type int, not a tensor; save net.state_dict")


@pytest.mark.parametrize(
    ("size", "stride", "offset"), [((10,), (1,), 1), ((3, 4), (4, 1), 0), ((-1,), (1,), 0), ((2,), (-1,), 5)]
)
def test_tensors_that_leave_their_storage(tmp_path, size, stride, offset):
    content = {"x": torch_archive.Tensor(np.arange(10.0), offset, size, stride)}
    refused(torch_archive.write(tmp_path / "a.pth", content), "is corrupt: sizes .* leave a storage of 10")


def test_storages_of_another_length(tmp_path):
    path = torch_archive.write(tmp_path / "a.pth", {"x": np.ones(3, np.float32)})
    with zipfile.ZipFile(path) as archive:
        pickled = archive.read("archive/data.pkl")
    _archive(path, archive__data_pkl=pickled, archive__data__0=bytes(8))
    refused(path, "is corrupt: 8 bytes in storage 0, not 3 numbers of float32")
    refused(_archive(path, archive__data_pkl=pickled), "is truncated or corrupt")


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "mkdir"),
        ("builtins", "eval"),
        ("__builtin__", "getattr"),
        ("torch", "load"),
        ("torch.nn.modules.linear", "Linear"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("collections", "Counter"),
    ],
)
def test_a_file_cannot_run_code(tmp_path, module, name):
    content = {"x": torch_archive.Call(module, name, (os.fspath(tmp_path / "made"),))}
    path = torch_archive.write(tmp_path / "a.pth", content)
    refused(path, f"holds {module}.{name} and only tensors are read; save net.state_dict")
    assert not (tmp_path / "made").exists()


def test_wrong_networks(tmp_path):
    """Names and shapes decide, so the numbers may all be one zero, repeated."""

    def written(blocks, bottleneck, widths=torch_resnets.WIDTHS):
        net = torch_resnets.random_weights(blocks, bottleneck, 0, tuple(width // 16 for width in widths))
        zero = np.zeros(1, np.float32)
        grown = {}
        for key, value in net.items():
            shape = tuple(16 * n if n not in (1, 3, 7, 100) else n for n in value.shape)
            grown[key] = torch_archive.Tensor(zero, 0, shape, (0,) * len(shape))
        return torch_archive.write(tmp_path / "other.pth", grown)

    path = written((2, 2, 2, 2), False)
    refused(
        path,
        r"has no 'layer1.2.conv1.weight' \(nor 79 more\), .*; the file looks like resnet18",
        made.empty("resnet34"),
    )
    path = written((3, 4, 6, 3), False)
    refused(
        path, r"has 'layer1.2.conv1.weight' \(and 79 more\), .*; the file looks like resnet34", made.empty("resnet18")
    )
    refused(path, "has no 'layer1.0.conv3.weight' .*; the file looks like resnet34", made.empty("resnet50"))
    path = written((3, 4, 6, 3), True)
    refused(path, "has 'layer1.0.conv3.weight' .*; the file looks like resnet50", made.empty("resnet34"))
    path = written((3, 4, 23, 3), True)
    refused(path, "has 'layer3.6.conv1.weight' .*; the file looks like resnet101", made.empty("resnet50"))
    refused(
        torch_archive.write(path, {"blocks.0.attn.weight": np.ones(3)}),
        r"has no 'conv1.weight' \(nor .*; names there are like 'blocks.0.attn.weight'",
        made.empty("resnet18"),
    )


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bn1.bias": None}, "has no 'bn1.bias', which the network has"),
        ({"bn9.bias": np.ones(3)}, "has 'bn9.bias', which the network has not; names there are like 'bn9.bias'"),
        ({"conv1.weight": np.ones((4, 1, 7, 7))}, r"'conv1.weight' of shape \(4, 1, 7, 7\) where .* \(4, 3, 7, 7\)"),
        ({"bn1.bias": np.ones((4, 1))}, r"'bn1.bias' of shape \(4, 1\) where the network has \(4,\)"),
        ({"fc.bias": np.array([1, 2, np.nan, 3, np.inf])}, "has NaN or infinity in 'fc.bias', 2 of 5 numbers"),
        ({"fc.bias": np.array([1, 2, 3, 4, 1e300])}, "has NaN or infinity in 'fc.bias', 1 of 5"),
        ({"bn1.running_var": np.array([1, 2, -0.5, 1])}, "has a variance of -0.5 in 'bn1.running_var'; must be at"),
        ({"fc.bias": np.arange(5)}, "has 'fc.bias' of dtype int64; must be floating-point numbers"),
    ],
)
def test_wrong_entries(tmp_path, suffix, changes, message):
    refused(made.save(tmp_path / f"a.{suffix}", made.entries(**changes)), message)


def test_nothing_changes_when_something_is_wrong(tmp_path):
    net = weights.load(made.tiny(), made.save(tmp_path / "a.pth", made.entries()))
    twice = made.entries(**{"conv1.weight": 2 * made.entries()["conv1.weight"], "fc.bias": np.full(5, np.nan)})
    with pytest.raises(ValueError, match="NaN"):
        weights.load(net, made.save(tmp_path / "b.pth", twice))
    assert made.same(net, weights.load(made.tiny(), tmp_path / "a.pth"))


def test_the_small_stem_is_refused(tmp_path):
    net = nnx.eval_shape(lambda: resnet.make("small", 10, rngs=nnx.Rngs(0)))
    with pytest.raises(ValueError, match=r"net must have the large stem, .*; got the small one"):
        weights.load(net, tmp_path / "a.pth")


def test_safetensors_is_needed_only_for_its_files(tmp_path, monkeypatch):
    loaded = "import sys, semres_jax.networks; print('safetensors' in sys.modules or 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    path = made.save(tmp_path / "a.safetensors", made.entries())
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(ImportError, match=r"a.safetensors' needs the package safetensors: pip install 'semres-jax\["):
        weights.load(made.tiny(), path)
