"""Training on images: what is drawn, what is minimised, and that it can be stopped, split and repeated."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from semres_jax import Execution, data
from semres_jax.networks import resnet as networks
from semres_jax.training import images as image_training
from semres_jax.training.images import batches, epochs, loop
from tests.networks import torch_archive, torch_resnets
from tests.training.images import CLASSES, SIDE, made_up, tiny as tiny

EACH, EPOCHS = 4, 6


def recipe(network, **more):
    return image_training.Recipe(
        **{"network": network, "epochs": EPOCHS, "per_class": EACH, "learning_rate": 0.05} | more
    )


def test_batches_are_balanced_and_go_through_all_images():
    images = made_up(per_class=9)
    keep = np.ones(54, bool)
    keep[:4] = False  # the first class has 5
    resident = batches.resident(images, np.flatnonzero(keep), EACH)
    steps = 9
    order = np.asarray(batches.order(jax.random.key(0), resident, EACH, steps))
    assert order.shape == (steps, len(CLASSES), EACH)
    labels = images.labels[keep]
    assert (labels[order] == np.arange(6)[:, None]).all()
    drawn = order.transpose(1, 0, 2).reshape(6, -1)
    assert sorted(drawn[0, :5]) == [0, 1, 2, 3, 4]
    assert sorted(drawn[3, :9]) == list(np.flatnonzero(labels == 3))
    other = np.asarray(batches.order(jax.random.key(1), resident, EACH, steps))
    assert (order != other).any()


def test_losses_against_loops():
    rng = np.random.default_rng(1)
    embeddings, scores = rng.normal(size=(24, 5)), rng.normal(size=(24, 6))
    resident = batches.resident(made_up(), np.arange(72), EACH)
    labels, table = np.repeat(np.arange(6), EACH), made_up().distances
    pairs = [(i, j) for i in range(24) for j in range(24) if i != j]
    far = np.array([np.linalg.norm(embeddings[i] - embeddings[j]) for i, j in pairs])
    tree = np.array([table[labels[i], labels[j]] for i, j in pairs])
    want_sim = ((far / far.mean() - tree / tree.mean()) ** 2).mean()
    want_id = np.mean([np.log(np.exp(s).sum()) - s[y] for s, y in zip(scores, labels, strict=True)])
    points, logits = (jnp.asarray(x, jnp.float32) for x in (embeddings, scores))
    losses = jax.jit(lambda x: batches.losses(x, logits, resident.distances, EACH))
    cross, sim = losses(points)
    np.testing.assert_allclose([cross, sim], [want_id, want_sim], rtol=1e-5)
    # The scale of embeddings doesn't matter, and equal ones have a finite slope.
    assert losses(100 * points)[1] == pytest.approx(float(sim), rel=1e-5)
    slope = jax.jit(jax.grad(lambda x: losses(x)[1]))
    assert jnp.isfinite(slope(points.at[3].set(points[2]))).all()
    assert jnp.isfinite(slope(jnp.zeros_like(points))).all()


def test_rows_of_distances_computed_again_are_the_same(monkeypatch):
    x = jax.random.normal(jax.random.key(0), (24, 5))
    f = jax.value_and_grad(lambda x: jnp.sum(batches.pair_distances(x) ** 1.5))
    kept = f(x)
    monkeypatch.setattr(batches, "_KEPT", 1)
    chex.assert_trees_all_close(f(x), kept, rtol=1e-5)


def test_augmentation_mirrors_and_moves():
    images = made_up()
    resident = batches.resident(images, np.arange(72), EACH)
    index = jnp.zeros(400, jnp.int32)
    drawn = jax.jit(batches.batch, static_argnums=3)
    plain = np.asarray(drawn(jax.random.key(0), resident, index[:1], False))[0].round(4)
    got = np.asarray(drawn(jax.random.key(0), resident, index, True)).round(4)
    mean, spread = np.asarray(resident.scale)[:, 0]
    np.testing.assert_allclose(plain, (images.images[0] / 255 - mean) / spread, atol=1e-4)
    wanted = {}
    for mirrored in (False, True):
        for down in (-1, 0, 1):
            for right in (-1, 0, 1):
                rows, columns = (np.clip(np.arange(SIDE) + by, 0, SIDE - 1) for by in (down, right))
                source = plain[:, ::-1] if mirrored else plain
                columns = (
                    columns if not mirrored else SIDE - 1 - np.clip(SIDE - 1 - np.arange(SIDE) + right, 0, SIDE - 1)
                )
                wanted[mirrored, down, right] = source[rows][:, columns].tobytes()
    seen = [picture.tobytes() for picture in got]
    counts = np.array([seen.count(picture) for picture in wanted.values()])
    assert counts.sum() == 400
    # 18 equally likely: five standard deviations.
    assert (np.abs(counts - 400 / 18) < 5 * np.sqrt(400 / 18)).all()


def test_alpha_weighs_the_losses_and_runs_repeat(tiny):
    images = made_up()
    parts = data.split(images)
    seen = []
    history = image_training.train(
        images, parts, recipe(tiny), alphas=[0.0, 0.9], runs=2, watch=lambda e, w, b: {"n": np.array(len(e))},
        execution=Execution(progress=lambda what, done, planned: seen.append((done, planned))),
    )  # fmt: skip
    assert history.accuracy.shape == history.loss_id.shape == history.watched["n"].shape == (2, 2, EPOCHS)
    assert history.embeddings.shape == (2, 2, len(parts.test), 4)
    assert seen[-1] == (4 * EPOCHS, 4 * EPOCHS)
    assert (history.watched["n"] == len(parts.test)).all()
    last = [x[..., -1].mean(1) for x in (history.loss_id, history.loss_sim)]
    assert last[0][0] < last[0][1]
    assert last[1][0] > last[1][1]
    # The same again, one of them alone and without a watch.
    again = image_training.train(images, parts, recipe(tiny), alphas=[0.9], runs=1)
    chex.assert_trees_all_equal(again.embeddings[0, 0], history.embeddings[1, 0])
    chex.assert_trees_all_equal(again.loss_sim[0, 0], history.loss_sim[1, 0])


@pytest.mark.thorough
def test_members_under_vmap_are_those_alone(tiny):
    images = made_up()
    parts = data.split(images)
    alone = image_training.train(images, parts, recipe(tiny), alphas=[0.2, 0.8])
    together = image_training.train(images, parts, recipe(tiny), alphas=[0.2, 0.8], together=2)
    # Sums are in another order, and training lets that grow: the first epoch.
    chex.assert_trees_all_close(alone.loss_id[..., 0], together.loss_id[..., 0], rtol=1e-4)
    chex.assert_trees_all_close(alone.loss_sim[..., 0], together.loss_sim[..., 0], rtol=1e-4)
    assert not np.array_equal(alone.loss_id[0], alone.loss_id[1])


@pytest.mark.thorough
def test_resume_gives_the_same_bits(tiny, tmp_path):
    images = made_up()
    parts = data.split(images)

    class Stop(Exception):
        pass

    def stop(what, done, planned):
        if done >= 2:
            raise Stop

    def run(**more):
        return image_training.train(
            images, parts, recipe(tiny), alphas=[0.5], watch=lambda e, w, b: {"mean": e.mean(0)}, **more
        )  # fmt: skip

    with pytest.raises(Stop):
        run(checkpoint=tmp_path, execution=Execution(progress=stop))
    resumed = run(checkpoint=tmp_path, resume=True)
    whole = run()
    chex.assert_trees_all_equal(resumed, whole)
    with pytest.raises(ValueError, match=r"can't resume with per_class = 2: .* was made with 4"):
        image_training.train(images, parts, recipe(tiny, per_class=2), alphas=[0.5], checkpoint=tmp_path, resume=True)


def test_a_run_that_was_watched_otherwise_does_not_go_on(tiny, tmp_path):
    """As one of a version that measured less after each epoch: its columns would be of different lengths."""
    images = made_up()
    parts = data.split(images)

    def run(**more):
        return image_training.train(images, parts, recipe(tiny), alphas=[0.5], checkpoint=tmp_path, **more)

    whole = run()
    for watch in (lambda e, w, b: {"mean": e.mean()}, lambda e, w, b: {"weights": w, "biases": b}):
        with pytest.raises(ValueError, match=r"can't resume: .* has no record of (mean|weights) after each epoch"):
            run(watch=watch, resume=True)
    chex.assert_trees_all_equal(run(resume=True), whole)


def test_the_classifier_that_is_watched_is_the_one_that_scores(tiny):
    images = made_up()
    parts = data.split(images)

    def watch(embeddings, weights, biases):
        assert weights.shape == (len(CLASSES), embeddings.shape[1])
        guess = (embeddings @ weights.T + biases[None]).argmax(1)
        return {"right": np.mean(guess == images.labels[parts.test])}

    history = image_training.train(images, parts, recipe(tiny), alphas=[0.2], watch=watch)
    np.testing.assert_allclose(history.watched["right"], history.accuracy, atol=1e-12)


def test_nothing_is_compiled_again(tiny):
    images = made_up()
    parts = data.split(images)
    image_training.train(images, parts, recipe(tiny))
    before = epochs.epoch._cache_size()
    image_training.train(images, parts, recipe(tiny), alphas=[0.3], key=jax.random.key(5))
    assert epochs.epoch._cache_size() == before


def test_a_loss_that_is_no_number_is_told(tiny, tmp_path):
    images = made_up()
    images = images._replace(distances=np.full((6, 6), np.nan))
    words = r"not finite at step 0 of epoch 1 of run 0 with alpha = 0.5, learning_rate = 0.05; .*smaller learning_rate"
    with pytest.raises(image_training.Diverged, match=words):
        image_training.train(images, data.split(images), recipe(tiny), alphas=[0.5], checkpoint=tmp_path)
    # Its last good weights are there, and it stays so.
    assert (tmp_path / "alpha0.5-run0" / "1").is_dir()
    with pytest.raises(image_training.Diverged, match=words):
        image_training.train(images, data.split(images), recipe(tiny), alphas=[0.5], checkpoint=tmp_path, resume=True)


def test_training_starts_from_weights(monkeypatch, tmp_path):
    """Grey images and a file of weights for three colours: all but the classifier is the file's."""
    monkeypatch.setitem(networks.ARCHITECTURES, "large", ((2, 1), (4, 8), False, "large"))
    entries = torch_resnets.random_weights((2, 1), False, 1, (4, 8), classes=5)
    path = torch_archive.write(tmp_path / "weights.pth", entries)
    images = made_up()
    resident = batches.resident(images, np.arange(72), EACH, batches.IMAGENET)
    job = loop._Job(
        recipe("large", weights=str(path)), resident, jnp.asarray(images.images[:3]), np.zeros(1, int), None
    )
    state = job.start(jax.random.key(0), 0)
    kernel = np.asarray(jax.tree.leaves(state.params["stem"]["kernel"])[0])
    np.testing.assert_array_equal(kernel, entries["conv1.weight"].transpose(2, 3, 1, 0))
    assert jax.tree.leaves(state.params["classifier"]["kernel"])[0].shape == (8, 6)
    states = jax.tree.map(lambda x: x[None], state)
    seen = jax.eval_shape(lambda: epochs.embed(states, job._shown, resident.scale, job._graph))
    assert [x.shape for x in seen] == [(1, 3, 8), (1, 3, 6)]
    wrong = torch_archive.write(tmp_path / "wrong.pth", entries | {"conv1.weight": entries["conv1.weight"][:2]})
    with pytest.raises(ValueError, match=r"wrong.pth"):
        image_training.train(
            images, data.split(images), recipe("large", weights=str(wrong)), checkpoint=tmp_path / "kept"
        )
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"network": "resnet19"}, "network must be one of"),
        ({"epochs": 0}, "epochs must be"),
        ({"per_class": 1}, "per_class must be"),
        ({"learning_rate": 0.0}, "learning_rate must be"),
        ({"momentum": 1.0}, "momentum must be from 0 to below 1; got 1"),
        ({"dtype": "float16"}, "dtype must be one of float32, bfloat16; got 'float16'"),
    ],
)
def test_recipes_out_of_range(settings, words):
    with pytest.raises(ValueError, match=words):
        image_training.Recipe(**settings)


@pytest.mark.parametrize("alphas", [[], [1.5], [float("nan")]])
def test_alphas_out_of_range(alphas):
    images = made_up()
    with pytest.raises(ValueError, match="alphas must be at least one number from 0 to 1"):
        image_training.train(images, data.split(images), alphas=alphas)
