"""Write `tests/networks/resnet_reference.npz`: what PyTorch computes with random residual networks.

    python scripts/make_resnet_reference.py [--out FILE]

Needs PyTorch; takes a few seconds. For resnet18, resnet34 and resnet50, with weights and images that
`tests/networks/torch_resnets.py` makes from seeds (they are not stored), in evaluation mode:

    NAME/names (L,), NAME/samples (L, 50), NAME/moments (L, 2)   some numbers, mean and standard deviation of each layer
    NAME/embedding (2, F), NAME/scores (2, 100)
"""

import argparse
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.networks import torch_resnets  # noqa: E402 (found from here on)

# resnet50 with smaller pictures: its test is the longest.
PICTURES = {"resnet18": (2, 64), "resnet34": (2, 64), "resnet50": (2, 32)}


def reference(name: str) -> dict[str, np.ndarray]:
    import torch

    net = torch_resnets.torch_network(*torch_resnets.NETWORKS[name]).eval()
    entries = torch_resnets.weights_of(name)
    net.load_state_dict({key: torch.from_numpy(value) for key, value in entries.items()})
    layers = torch_resnets.torch_layers(net, torch_resnets.images(*PICTURES[name]))
    embedding, scores = layers.pop("embedding"), layers.pop("scores")
    print(name, *(f"{key}: {x.mean():.3f} ± {x.std():.3f}" for key, x in layers.items()), sep="\n  ")
    return {
        f"{name}/names": np.array(list(layers)),
        f"{name}/samples": np.stack([torch_resnets.sample(x) for x in layers.values()]),
        f"{name}/moments": np.array([(x.mean(), x.std()) for x in layers.values()]),
        f"{name}/embedding": embedding,
        f"{name}/scores": scores,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "tests/networks/resnet_reference.npz")
    out = parser.parse_args().out
    outputs: dict[str, np.ndarray] = {}
    for name in PICTURES:
        outputs |= reference(name)
    np.savez_compressed(out, **outputs)
    print(f"{out.name}: {out.stat().st_size / 1000:.1f} kB")


if __name__ == "__main__":
    main()
