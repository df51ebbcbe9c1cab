"""The Monte Carlo of peers.py on a GPU: eager and compiled PyTorch, CuPy's arrays, and a CUDA kernel written for it.

Called as `peer(trials, n, eps, seed)`, giving (p_s, p_i, p_s_stderr, p_i_stderr), as there. PyTorch's also run on a
CPU, so that a test of their answers needs no GPU; CuPy's do not. Libraries are imported by the peer that needs them.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import peers

# Numbers drawn in one block by programs that keep them in memory: a gibibyte of float32 for arrays, less on a CPU.
FAR, NEAR = 2**28, 2**20


def from_moments(moments: Any, trials: int) -> peers.Result:
    """From sums of p_S, p_S², p_I, p_I² over the trials."""
    s, s2, i, i2 = (float(x) / trials for x in moments)
    error = lambda mean, square: math.sqrt(max(square - mean * mean, 0.0) / max(trials - 1, 1))  # noqa: E731
    return s, i, error(s, s2), error(i, i2)


def _blocks(trials: int, block: int) -> list[int]:
    return [min(block, trials - start) for start in range(0, trials, block)]


# --- PyTorch ----------------------------------------------------------------------------------------------------------


def _torch_moments(probe: Any, items: list, eps: float, n: int):
    """Sums of both credits and their squares: elementwise, then four sums."""
    import torch

    gaps = [(item - probe).abs() for item in items]
    near = [(torch.minimum(gap, 1.0 - gap) <= eps).to(torch.float32) for gap in gaps]
    others = functools.reduce(torch.add, near[:-1])
    hits = others + near[-1]
    similar = torch.where(hits == 0, 1.0 / n, 1.0 / hits.clamp(min=1.0))
    identify = 1.0 / (1.0 + others)
    return torch.stack([x.sum(dtype=torch.float64) for x in (similar, similar**2, identify, identify**2)])


def torch_eager(device: str) -> Callable:
    """Eager PyTorch: a block of uniforms in memory, one operation after the other."""

    def peer(trials: int, n: int, eps: float, seed: int) -> peers.Result:
        import torch

        generator = torch.Generator(device).manual_seed(seed)
        total = torch.zeros(4, dtype=torch.float64, device=device)
        for now in _blocks(trials, (FAR if device == "cuda" else NEAR) // (n + 1)):
            drawn = torch.rand((n + 1, now), generator=generator, device=device)
            total += _torch_moments(drawn[0], list(drawn[1:]), eps, n)
        return from_moments(total.tolist(), trials)

    return peer


def torch_compiled(device: str) -> Callable:
    """`torch.compile` of drawing and counting together: its own Philox within fused kernels, nothing large stored."""

    @functools.cache
    def program(n: int, block: int, eps: float):
        import torch

        def moments(total):
            drawn = [torch.rand(block, device=device) for _ in range(n + 1)]
            return total + _torch_moments(drawn[0], drawn[1:], eps, n)

        return torch.compile(moments)

    def peer(trials: int, n: int, eps: float, seed: int) -> peers.Result:
        import torch

        torch.manual_seed(seed)
        block = min(1 << ((FAR if device == "cuda" else NEAR) // (n + 1)).bit_length() - 1, trials)
        times = -(-trials // block)  # whole blocks, so that one program is enough
        total = torch.zeros(4, dtype=torch.float64, device=device)
        for _ in range(times):
            total = program(n, block, eps)(total)
        moments = [x * trials / (times * block) for x in total.tolist()]
        return from_moments(moments, trials)

    return peer


# --- CuPy -------------------------------------------------------------------------------------------------------------


def cupy_arrays(trials: int, n: int, eps: float, seed: int) -> peers.Result:
    """CuPy as NumPy: a block of uniforms in memory, one operation after the other."""
    import cupy

    rng = cupy.random.Generator(cupy.random.Philox4x3210(seed))
    total = cupy.zeros(4)
    for now in _blocks(trials, FAR // (n + 1)):
        drawn = rng.random((n + 1, now), dtype=cupy.float32)
        gap = cupy.abs(drawn[1:] - drawn[0])
        near = cupy.minimum(gap, 1 - gap) <= eps
        others = near[:-1].sum(axis=0, dtype=cupy.float32)
        hits = others + near[-1]
        similar = cupy.where(hits == 0, np.float32(1 / n), 1 / cupy.maximum(hits, 1))
        identify = 1 / (1 + others)
        total += cupy.stack([x.sum(dtype=cupy.float64) for x in (similar, similar**2, identify, identify**2)])
    return from_moments(total.tolist(), trials)


# One thread makes trial after trial with Philox4x32-10 (Salmon et al. 2011); counts stay in registers for two items, in
# the block's shared memory for more. N is put in as a number, so that loops unroll and words stay in registers.
KERNEL = r"""
__device__ __forceinline__ void philox(unsigned int c0, unsigned int c1, unsigned int c2, unsigned int k0,
                                       unsigned int k1, unsigned int out[4]) {
    unsigned int c3 = 0u;
    #pragma unroll
    for (int round = 0; round < 10; ++round) {
        unsigned int low0 = 0xD2511F53u * c0, high0 = __umulhi(0xD2511F53u, c0);
        unsigned int low1 = 0xCD9E8D57u * c2, high1 = __umulhi(0xCD9E8D57u, c2);
        c0 = high1 ^ c1 ^ k0;
        c1 = low1;
        c2 = high0 ^ c3 ^ k1;
        c3 = low0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0; out[1] = c1; out[2] = c2; out[3] = c3;
}

extern "C" __global__ void trials(unsigned long long count, unsigned int e, unsigned int w, unsigned int seed,
                                  unsigned long long *tally) {
    __shared__ unsigned int bins[2 * N];
    for (int k = threadIdx.x; k < 2 * N; k += blockDim.x) bins[k] = 0u;
    __syncthreads();
    unsigned int first = 0u, second = 0u, both = 0u, made = 0u;
    const unsigned long long stride = (unsigned long long)gridDim.x * blockDim.x;
    for (unsigned long long t = (unsigned long long)blockIdx.x * blockDim.x + threadIdx.x; t < count; t += stride) {
        unsigned int word[4], probe = 0u, others = 0u, last = 0u;
        #pragma unroll
        for (int i = 0; i <= N; ++i) {
            if (i % 4 == 0) philox((unsigned int)t, (unsigned int)(t >> 32), (unsigned int)(i / 4), seed, 0u, word);
            if (i == 0) {
                probe = word[0] - e;
            } else {
                others += last;
                last = (unsigned int)(word[i % 4] - probe <= w);
            }
        }
        if (N == 2) {
            first += others; second += last; both += others & last; made += 1u;
        } else {
            atomicAdd(&bins[2 * others + last], 1u);
        }
    }
    if (N == 2) {
        atomicAdd(&bins[0], made - first - second + both);
        atomicAdd(&bins[1], second - both);
        atomicAdd(&bins[2], first - both);
        atomicAdd(&bins[3], both);
    }
    __syncthreads();
    for (int k = threadIdx.x; k < 2 * N; k += blockDim.x) atomicAdd(&tally[k], (unsigned long long)bins[k]);
}
"""
THREADS, BLOCKS_PER_PROCESSOR = 256, 16


@functools.cache
def _kernel(n: int):
    import cupy

    return cupy.RawKernel(KERNEL, "trials", options=(f"-DN={n}",))


def cupy_kernel(trials: int, n: int, eps: float, seed: int) -> peers.Result:
    """A CUDA kernel written for this experiment, through CuPy: what a specialist would do."""
    import cupy

    e, w = peers._threshold(eps)
    blocks = BLOCKS_PER_PROCESSOR * cupy.cuda.Device().attributes["MultiProcessorCount"]
    tally = cupy.zeros(2 * n, cupy.uint64)
    _kernel(n)((blocks,), (THREADS,), (np.uint64(trials), np.uint32(e), np.uint32(w), np.uint32(seed), tally))
    return peers.summary(cupy.asnumpy(tally).astype(np.int64).reshape(n, 2), n)
