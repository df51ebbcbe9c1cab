"""Convolutions whose gradients are as fast as they are themselves, on CPUs too.

XLA's CPU backend has a fast program for the plain convolution of (B, H, W, C) images and none for its two transposes:
inside a loop a training step of a small network takes 50 times longer with them. So there the gradient of the images
is a plain convolution with the mirrored kernel, and that of the kernel one of the images with the slopes. Elsewhere it
is all XLA's.
"""

import functools

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
    """Σ over images and pixels of image (moved by a kernel's place) times slope.

    A plain convolution too, of images whose channels and numbers change places, with the slopes, `stride` apart, as its
    kernel; of a 1 x 1 kernel a matrix product, in parts that cores work on at once.
    """
    if size == 1:
        batch = images.shape[0]
        parts = next(p for p in range(min(_PARTS, batch), 0, -1) if batch % p == 0)
        pair = (x.reshape(parts, -1, x.shape[-1]) for x in (images[:, ::stride, ::stride], slope))
        return jnp.einsum("pnc,pno->pco", *pair).sum(0)[None, None]
    border = size // 2
    ends = [
        (border, max(0, stride * (n - 1) + size - border - pixels))
        for n, pixels in zip(slope.shape[1:3], images.shape[1:3], strict=True)
    ]
    turned = images.transpose(3, 1, 2, 0), slope.transpose(1, 2, 0, 3)
    places = lax.conv_general_dilated(
        *turned, (1, 1), ends, rhs_dilation=(stride, stride), dimension_numbers=_LAYOUT
    )  # of pixels that no kernel reaches there are places too many
    return places[:, :size, :size].transpose(1, 2, 0, 3)


_convolve.defvjp(_forward, _backward)
