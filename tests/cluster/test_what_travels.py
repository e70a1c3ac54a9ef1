"""What is sent and what becomes of failures, with a stand-in for the cluster that does the tasks here, out of order."""

import pickle
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pytest
from cluster_cases import evaluated, files, generated, mixed, noise_images, open_named
from in_memory_dataset import walled_cnn
from PIL import Image

from stackwalls.evaluate.checks import beyond_mu
from stackwalls.hub_cards import RowReader
from stackwalls.model import Cluster, Failure, RunError
from stackwalls.stackmix import MixSpec, mix


@dataclass(frozen=True)
class Here(Cluster):
    """Does every task in this process, after a trip through pickles; `fails` says which of the first ones fail."""

    fails: list[int] = field(default_factory=list)

    def results(self, make: Callable[[], Any], tasks: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        work = cloudpickle.loads(cloudpickle.dumps(make))()
        numbered = list(enumerate(tasks))
        random.Random(0).shuffle(numbered)
        for number, task in numbered:
            if number in self.fails:
                self.fails.remove(number)
                yield task, Failure("the worker is gone")
            else:
                yield task, pickle.loads(pickle.dumps(work(pickle.loads(pickle.dumps(task)))))


def folder_with_broken_images(root: Path, broken: int) -> Path:
    for name in ("goldfish", "hen"):
        (root / name).mkdir(parents=True)
        for number in range(12):
            pixels = np.random.default_rng(number).integers(0, 256, (256, 300, 3), dtype=np.uint8)
            path = root / name / f"{number:02d}.png"
            Image.fromarray(pixels).save(path)
            if number < broken:
                path.write_bytes(b"not an image")
    return root


@pytest.mark.parametrize("broken", [0, 6, 10])
def test_more_images_are_sent_where_some_are_broken(broken: int, tmp_path: Path) -> None:
    spec = MixSpec(source=str(folder_with_broken_images(tmp_path / "images", broken)), per_class=2)
    mix(spec, tmp_path / "one")
    mix(spec, tmp_path / "sent", cluster=Here())
    assert files(tmp_path / "one") == files(tmp_path / "sent")
    assert len(RowReader(tmp_path / "sent").rejected()) >= bool(broken)


def test_a_class_that_fails_is_replaced_and_listed(tmp_path: Path) -> None:
    mixed(tmp_path / "one")
    mixed(tmp_path / "sent", Here(fails=[0]))
    labels = [set(RowReader(tmp_path / name).columns("label")["label"]) for name in ("one", "sent")]
    assert len(labels[0]) == len(labels[1]) == 4
    assert len(labels[0] & labels[1]) == 3
    assert [entry["reason"] for entry in RowReader(tmp_path / "sent").rejected()] == ["the worker is gone"]


def test_a_named_class_that_fails_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="the worker is gone"):
        mix(MixSpec(source="drawn", classes=("goldfish", "hen")), tmp_path / "set", cluster=Here(fails=[1]))


def test_an_image_that_fails_is_given_up(tmp_path: Path) -> None:
    generated(tmp_path / "one")
    generated(tmp_path / "sent", Here(fails=[0]))
    one, sent = (RowReader(tmp_path / name) for name in ("one", "sent"))
    first = "n01443537_00000"
    assert sent.manifest.inputs["given_up"] == [
        first,
        *(name for name in one.manifest.inputs["given_up"] if name != first),
    ]
    reasons = [entry["reason"] for entry in sent.rejected() if entry["item"].startswith(first)]
    assert reasons == ["the worker is gone"] * 4  # all its attempts
    kept = [name for name in one.columns("image_id")["image_id"] if name != first]
    assert sent.columns("image_id")["image_id"] == kept


def test_images_of_a_batch_travel_together(tmp_path: Path) -> None:
    """Also after a kill: which images share a call depends on their numbers alone."""
    from scripted_generation import spec_of

    from stackwalls.stackgen.generation.generate_spec import work_items
    from stackwalls.stackgen.generation.generating import _groups

    items = work_items(spec_of(per_class=4))
    assert list(_groups(items, items, 5)) == [items[:5], items[5:10], items[10:]]
    assert list(_groups(items, [items[4], items[5], items[11]], 5)) == [[items[4]], [items[5]], [items[11]]]


def test_a_block_that_fails_is_rows_with_the_reason(tmp_path: Path) -> None:
    one, sent = evaluated(tmp_path / "one"), evaluated(tmp_path / "sent", Here(fails=[1]))
    failed = sent.per_image["error"] == "the worker is gone"
    assert sent.per_image[failed]["image_id"].nunique() == 8
    same = ["dataset", "image_id", "label", "method", "transform"]
    assert one.per_image[same].equals(sent.per_image[same])
    assert one.per_image[~failed]["mu"].equals(sent.per_image[~failed]["mu"])
    assert sent.per_image[failed]["mu"].isna().all()
    assert set(sent.per_image[failed]["prediction"]) == {-1}


def test_a_batch_that_fails_is_rows_with_the_reason() -> None:
    def found(cluster: Cluster | None = None) -> Any:
        data = open_named("a", noise_images(10))
        return beyond_mu(walled_cnn(), data, ["GradCAM", "EigenCAM"], batch_size=4, progress=False, cluster=cluster)

    one, same, sent = found(), found(Here()), found(Here(fails=[1]))
    assert one.per_image.equals(same.per_image)
    failed = sent.per_image["error"] == "the worker is gone"
    assert failed.sum() == 4 * 2
    assert list(sent.per_image["image_id"].unique()) == list(one.per_image["image_id"].unique())
    assert "the worker is gone" in sent.text()


def test_an_excerpt_has_the_same_rows() -> None:
    data = open_named("a", noise_images(20))
    for (start, stop), excerpt in zip(
        [(0, 3), (3, 11), (18, 20)], data.excerpts([(0, 3), (3, 11), (18, 20)]), strict=True
    ):
        sent = pickle.loads(pickle.dumps(excerpt))
        assert (len(sent), sent.name) == (20, "a")
        for there, here in zip(sent.batches(4, [(start, stop)]), data.batches(4, [(start, stop)]), strict=True):
            assert there.image_ids == here.image_ids
            np.testing.assert_array_equal(there.images, here.images)
            np.testing.assert_array_equal(there.labels, here.labels)
