"""Write `tests/networks/llama_reference.npz`: what transformers computes with random Llamas and Gemmas.

    python scripts/make_llama_reference.py [--out FILE]

Needs PyTorch and transformers, and takes seconds. The weights come from seeds, as `tests/networks/tiny_llamas.py` makes
them (they are not stored). For each network:

    NAME/logits (B, P, V)         after the tokens at `tiny_llamas.POSITIONS`
    NAME/hidden (1 + L, B, P, D)  there: before each layer, and after the last and its norm
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.networks import tiny_llamas  # noqa: E402 (found from here on)


def reference(name: str) -> dict[str, np.ndarray]:
    import torch
    from transformers import AutoModelForCausalLM

    with tempfile.TemporaryDirectory() as folder:
        tiny_llamas.write_folder(Path(folder), name)
        net = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    with torch.no_grad():
        outputs = net(torch.from_numpy(tiny_llamas.TOKENS.astype(np.int64)), output_hidden_states=True)
    states = torch.stack(outputs.hidden_states)
    print(f"{name}: logits {outputs.logits.mean():.3f} ± {outputs.logits.std():.3f}, layers {len(states) - 1}")
    at = list(tiny_llamas.POSITIONS)
    return {f"{name}/logits": outputs.logits[:, at].numpy(), f"{name}/hidden": states[:, :, at].numpy()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "tests/networks/llama_reference.npz")
    out = parser.parse_args().out
    outputs: dict[str, np.ndarray] = {}
    for name in tiny_llamas.NETWORKS:
        outputs |= reference(name)
    np.savez_compressed(out, **outputs)
    print(f"{out.name}: {out.stat().st_size / 1000:.1f} kB")


if __name__ == "__main__":
    main()
