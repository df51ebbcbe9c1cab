"""The gradient of the toy network's losses that is written out, against differentiation of the losses as they are."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from semres_jax import spaces
from semres_jax.networks import ToyAutoencoder
from semres_jax.training import toy
from semres_jax.training.toy import drawing, expected, gradient
from semres_jax.training.toy.losses import make_task

STIMULI, RUNS, STEP = 9, 3, 5
# Of the largest slope: float64 sums of some hundred numbers in another order.
SAME = 1e-13
BOTH = ([0.3, 1.5, 0.1], [0.7, 0.0, 2.0])
DESIGNS = [
    toy.Design(hidden=4, batch=32),
    toy.Design(hidden=3, batch=33, items=4),
    toy.Design(hidden=12, batch=16, slots=3),
    toy.Design(hidden=3, batch=64, slots=2, items=3, decision="sum", label="max"),
    toy.Design(hidden=2, batch=16, slots=2, decision="sum", label="l1"),
    toy.Design(hidden=4, batch=16, slots=4, items=5, label="l2"),
    toy.Design(hidden=3, loss="full"),
    toy.Design(hidden=3, items=3, loss="full"),
]


def plain_losses(maps, graph, hyper, seed, task, design):
    """Similarity and reconstruction loss of one run, by the network itself."""
    g = nnx.merge(graph, nnx.State({"maps": nnx.Param(maps)})).similarity()
    if design.loss == "full":
        sim = expected.mean_nll(g[0] + hyper.floor, task.ranks, task.near, design.items)
    else:
        sizes = {"slots": design.slots, "batch": design.batch, "items": design.items}
        trials = drawing.draw(seed, jnp.uint32(STEP), stimuli=STIMULI, **sizes)
        h = drawing.decide(drawing.pick(g, trials) + hyper.floor, design.decision)
        labels = jnp.broadcast_to(task.labels, (design.slots, STIMULI, STIMULI))
        right = drawing.right_items(drawing.pick(labels, trials), design.label)
        sim = jnp.mean(jnp.log(h.sum(-1)) - jnp.sum(right * jnp.log(h), axis=-1))
    rec = jnp.mean((g - jnp.eye(STIMULI)[None]) ** 2)
    return sim, rec


whole = jax.jit(plain_losses, static_argnames=("graph", "design"))
written = jax.jit(gradient.slopes, static_argnames=("design", "weighed"))


@pytest.mark.parametrize(
    ("weights", "backend"),
    [(BOTH, "cpu"), ((BOTH[0], 0.0), "cpu"), ((0.0, BOTH[0]), "cpu"), (BOTH, "gpu")],
    ids=["both", "sim", "rec", "on a gpu"],
)
@pytest.mark.parametrize("design", DESIGNS, ids=str)
def test_it_is_that_of_the_plain_loss(x64, monkeypatch, design, weights, backend):
    if backend == "gpu":  # what is done there needs none
        monkeypatch.setattr(gradient.jax, "default_backend", lambda: "gpu")
    rng = np.random.default_rng(4)
    maps = rng.uniform(-0.5, 1.5, (RUNS, design.slots, STIMULI, design.hidden))
    maps[0, 0, :2] = np.eye(design.hidden)[:2]  # products that are exactly 0
    seeds = jnp.asarray(rng.integers(0, 2**32, (RUNS, 2)), jnp.uint32)
    hyper = jax.tree.map(lambda x: np.broadcast_to(x, RUNS), toy.Hyper(*weights, floor=[1e-10, 0.1, 1.0]))
    task = make_task(spaces.grid(spaces.get("circle"), STIMULI), design)
    graph = nnx.graphdef(ToyAutoencoder(STIMULI, design.hidden, slots=design.slots, rngs=nnx.Rngs(0)))

    def of_run(maps, hyper, seed):
        sim, rec = plain_losses(maps, graph, hyper, seed, task, design)
        return hyper.lambda_sim * sim + hyper.lambda_rec * rec

    wanted = jax.jit(jax.vmap(jax.grad(of_run)))(maps, hyper, seeds)
    finite, slopes = written(
        jnp.swapaxes(maps, -1, -2), seeds, hyper, jnp.uint32(STEP), task, design, gradient.terms(hyper)
    )
    assert np.isfinite(finite).all()
    np.testing.assert_allclose(np.swapaxes(slopes, -1, -2), wanted, atol=SAME * np.abs(wanted).max())


@pytest.mark.parametrize("scale", [1e18, 1e19, 1e21, np.inf, np.nan])
@pytest.mark.parametrize("weights", [(0.1, 0.0), (0.0, 1.0), (1.0, 1.0)])
@pytest.mark.parametrize("design", [DESIGNS[0], DESIGNS[6]], ids=["trials", "full"])
def test_its_number_is_finite_where_the_loss_is(design, weights, scale):
    maps = np.random.default_rng(2).uniform(0.1, 1.0, (1, 1, STIMULI, design.hidden)).astype(np.float32)
    maps *= np.float32(scale)
    seeds = jnp.zeros((1, 2), jnp.uint32)
    numbers = toy.Hyper(*weights)
    hyper = jax.tree.map(lambda x: jnp.full(1, x, jnp.float32), numbers)
    task = make_task(spaces.grid(spaces.get("circle"), STIMULI), design)
    graph = nnx.graphdef(ToyAutoencoder(STIMULI, design.hidden, rngs=nnx.Rngs(0)))
    losses = whole(jnp.asarray(maps[0]), graph, numbers, seeds[0], task, design)
    loss = sum(weight * loss for weight, loss in zip(weights, losses, strict=True) if weight)
    turned = jnp.swapaxes(maps, -1, -2)
    value, _ = written(turned, seeds, hyper, jnp.uint32(STEP), task, design, gradient.terms(hyper))
    assert bool(np.isfinite(value[0])) == bool(np.isfinite(loss))


@pytest.mark.parametrize("backend", ["cpu", "gpu"])
@pytest.mark.parametrize("design", DESIGNS, ids=str)
def test_weights_of_32_bits_have_slopes_of_32_bits(x64, monkeypatch, design, backend):
    monkeypatch.setattr(gradient.jax, "default_backend", lambda: backend)
    maps = jnp.zeros((RUNS, design.slots, design.hidden, STIMULI), jnp.float32)
    hyper = jax.tree.map(lambda x: jnp.full(RUNS, x, jnp.float32), toy.Hyper(1.0, 1.0))
    task = make_task(spaces.grid(spaces.get("circle"), STIMULI), design)
    seeds, weighed = jnp.zeros((RUNS, 2), jnp.uint32), gradient.Terms(True, True)
    shapes = jax.eval_shape(lambda: gradient.slopes(maps, seeds, hyper, jnp.uint32(STEP), task, design, weighed))
    assert [x.dtype for x in shapes] == [jnp.float32, jnp.float32]
