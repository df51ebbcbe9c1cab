"""Convolutions whose gradients are as fast as they are themselves, on CPUs too.

XLA's CPU backend has a fast program for the plain convolution of (B, H, W, C) images and none for its two transposes:
inside a loop a training step of a small network takes 50 times longer with them. So there the gradient of the images
is a plain convolution with the mirrored kernel, and that of the kernel a matrix product. Elsewhere it is all XLA's.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from semres_jax._types import Array

_LAYOUT = ("NHWC", "HWIO", "NHWC")
# Matrix products are made in parts, one for each share of the batch, that cores work on at once.
_PARTS = 8


def convolve(images: Array, kernel: Array, stride: int) -> Array:
    """(B, H, W, C) images with a (k, k, C, O) kernel, k odd, k // 2 zeros around: (B, ceil(H / s), ceil(W / s), O)."""
    if jax.default_backend() == "cpu":
        return _convolve(images, kernel, stride)
    return _plain(images, kernel, stride, kernel.shape[0] // 2)


def _plain(images: Array, kernel: Array, stride: int, border: int) -> Array:
    return lax.conv_general_dilated(images, kernel, (stride, stride), [(border, border)] * 2, dimension_numbers=_LAYOUT)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _convolve(images: Array, kernel: Array, stride: int) -> Array:
    return _plain(images, kernel, stride, kernel.shape[0] // 2)


def _forward(images: Array, kernel: Array, stride: int) -> tuple[Array, tuple[Array, Array]]:
    return _convolve(images, kernel, stride), (images, kernel)


def _backward(stride: int, kept: tuple[Array, Array], slope: Array) -> tuple[Array, Array]:
    images, kernel = kept
    size, border = kernel.shape[0], kernel.shape[0] // 2
    before = size - 1 - border

    def zeros(axis: int) -> tuple[int, int, int]:
        """Around and between the slopes along an axis, so that one stays for each pixel of the images."""
        spread = stride * (slope.shape[axis] - 1) + 1
        return before, images.shape[axis] + size - 1 - before - spread, stride - 1

    spread = lax.pad(slope, jnp.zeros((), slope.dtype), ((0, 0, 0), zeros(1), zeros(2), (0, 0, 0)))
    mirrored = jnp.swapaxes(jnp.flip(kernel, (0, 1)), 2, 3)
    return _plain(spread, mirrored, 1, 0), _kernel_slope(images, slope, size, stride)


def _kernel_slope(images: Array, slope: Array, size: int, stride: int) -> Array:
    """Σ over pixels of image (moved by a kernel's place) times slope.

    Rows i and columns j = stride * q + r of the kernel: images are moved by i and r, slopes by q, and one product has
    all pairs of these.
    """
    batch, height, width, channels = images.shape
    rows, columns, out = slope.shape[1:]
    parts = next(p for p in range(min(_PARTS, batch), 0, -1) if batch % p == 0)
    phases, shifts, border = min(stride, size), -(-size // stride), size // 2
    wide = columns + shifts - 1
    after = [max(0, stride * (rows - 1) + size - height - border), max(0, stride * wide - width - border)]
    padded = jnp.pad(images, ((0, 0), (border, after[0]), (border, after[1]), (0, 0)))
    moved: Any = [
        padded[:, i : i + stride * (rows - 1) + 1 : stride, r : r + stride * (wide - 1) + 1 : stride]
        for i in range(size)
        for r in range(phases)
    ]
    slopes = [jnp.pad(slope, ((0, 0), (0, 0), (q, shifts - 1 - q), (0, 0))) for q in range(shifts)]
    if size == 1:
        moved, slopes = [images[:, ::stride, ::stride]], [slope]
    a, b = (jnp.concatenate(x, axis=-1) for x in (moved, slopes))
    product = jnp.einsum("pnc,pno->pco", *(x.reshape(parts, -1, x.shape[-1]) for x in (a, b))).sum(0)
    if size == 1:
        return product[None, None]
    placed = product.reshape(size, phases, channels, shifts, out).transpose(0, 3, 1, 2, 4)
    return placed.reshape(size, shifts * phases, channels, out)[:, :size]


_convolve.defvjp(_forward, _backward)
