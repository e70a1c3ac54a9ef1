"""Maps that were made elsewhere: every way of keeping them, and images without one."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from adapter_cases import IMAGES
from in_memory_dataset import sparse_vgg
from numpy.typing import NDArray

from stackwalls.evaluate import Subject
from stackwalls.evaluate.adapters import Configured, ImageRef, PrecomputedExplainer, as_explainer
from stackwalls.model import InputError

IDS = ("n01-a", "n02-b")
MAPS = np.random.default_rng(0).random((2, 224, 224), np.float32)


def refs(*ids: str, dataset: str = "mix") -> list[ImageRef]:
    order = {image_id: position for position, image_id in enumerate(IDS)}
    return [ImageRef(dataset, order.get(image_id, 9), image_id) for image_id in ids]


def precomputed(method: object) -> PrecomputedExplainer:
    explainer = as_explainer("mine", method, Subject.of(sparse_vgg()))
    assert isinstance(explainer, PrecomputedExplainer)
    return explainer


def found(method: object, *ids: str, dataset: str = "mix") -> NDArray[Any]:
    chosen = refs(*ids, dataset=dataset)
    bound = precomputed(method).for_images(chosen)
    return bound.explain(IMAGES[: len(ids)], [0] * len(ids), ["mine"])["mine"].maps


def as_npz(folder: Path) -> Path:
    np.savez(folder / "maps.npz", **dict(zip(IDS, MAPS, strict=True)))
    return folder / "maps.npz"


def as_npy(folder: Path) -> Path:
    np.save(folder / "maps.npy", MAPS)
    return folder / "maps.npy"


def as_folder(folder: Path) -> Path:
    for image_id, values in zip(IDS, MAPS, strict=True):
        np.save(folder / f"{image_id}.npy", values)
    return folder


def as_folder_of_datasets(folder: Path) -> Path:
    np.save(folder / "mix.npy", MAPS)
    np.save(folder / "gen.npy", MAPS[::-1])
    return folder


WAYS: dict[str, Callable[[Path], Any]] = {
    "mapping": lambda _: dict(zip(IDS, MAPS, strict=True)),
    "mapping of tensors": lambda _: {
        name: torch.from_numpy(m).requires_grad_() for name, m in zip(IDS, MAPS, strict=True)
    },
    "array": lambda _: MAPS,
    "tensor": lambda _: torch.from_numpy(MAPS),
    ".npz": as_npz,
    ".npz by its name": lambda folder: str(as_npz(folder)),
    ".npy": as_npy,
    ".npy by its name": lambda folder: str(as_npy(folder)),
    "folder": as_folder,
    "folder by its name": lambda folder: str(as_folder(folder)),
    "folder of datasets": as_folder_of_datasets,
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_gives_the_map_of_the_image(way: str, tmp_path: Path) -> None:
    method = WAYS[way](tmp_path)
    assert np.array_equal(found(method, *IDS), MAPS)
    assert np.array_equal(found(method, *reversed(IDS)), MAPS[::-1]), "by the image, not by the order asked for"
    assert np.array_equal(found(method, IDS[1]), MAPS[1:])


@pytest.mark.parametrize("way", WAYS)
def test_an_image_without_a_map_is_named(way: str, tmp_path: Path) -> None:
    where = {"m": "the mapping", "a": "the array", "t": "the array", "f": f"the folder {tmp_path.name}"}
    place = where.get(way[0], "maps.npz" if "npz" in way else "maps.npy")
    explainer = precomputed(WAYS[way](tmp_path))
    with pytest.raises(InputError, match=f"^there is no map for absent in {re.escape(place)}$"):
        explainer.for_images(refs(IDS[0], "absent")).explain(IMAGES, [0, 0])


def test_ids_of_two_datasets_may_be_the_same(tmp_path: Path) -> None:
    """The one with the dataset's name before it goes first."""
    method = {"n01-a": MAPS[0], "gen/n01-a": MAPS[1]}
    assert np.array_equal(found(method, "n01-a", dataset="mix"), MAPS[:1])
    assert np.array_equal(found(method, "n01-a", dataset="gen"), MAPS[1:])
    (tmp_path / "gen").mkdir()
    np.save(tmp_path / "n01-a.npy", MAPS[0])
    np.save(tmp_path / "gen/n01-a.npy", MAPS[1])
    assert np.array_equal(found(tmp_path, "n01-a", dataset="mix"), MAPS[:1])
    assert np.array_equal(found(tmp_path, "n01-a", dataset="gen"), MAPS[1:])
    ordered = as_folder_of_datasets(tmp_path)
    assert np.array_equal(found(ordered, "n02-b", dataset="gen"), MAPS[:1])


def test_an_id_does_not_climb_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "maps").mkdir()
    np.save(tmp_path / "secret.npy", MAPS[0])
    np.save(tmp_path / "maps/n01-a.npy", MAPS[0])
    for climbing in ("../secret", str(tmp_path / "secret")):
        with pytest.raises(InputError, match="there is no map for"):
            found(tmp_path / "maps", climbing)


def test_maps_in_order_are_one_for_each_image() -> None:
    explainer = precomputed(MAPS)
    explainer.check_datasets({"mix": 2})
    with pytest.raises(InputError, match="mine has 2 maps, but mix has 3 images"):
        explainer.check_datasets({"mix": 3})
    with pytest.raises(InputError, match="one array of maps in order, and there are 2 datasets"):
        explainer.check_datasets({"mix": 2, "gen": 2})
    precomputed({"n01-a": MAPS[0]}).check_datasets({"mix": 3, "gen": 5})


def test_shapes_and_reductions_are_those_of_all_methods() -> None:
    low = {"n01-a": MAPS[0, :14, :14] - 0.5, "n02-b": MAPS[1, :14, :14] - 0.5}
    maps = precomputed(low).for_images(refs(*IDS)).explain(IMAGES, [0, 0])["mine"]
    assert maps.maps.shape == (2, 224, 224)
    assert maps.maps.min() < 0, "final maps keep what is wrong with them"
    assert maps.raw is not None
    assert np.array_equal(maps.raw, np.stack(list(low.values())))
    assert found(Configured(low, reduce="sum"), *IDS).min() == 0
    mixed = {"n01-a": MAPS[0], "n02-b": MAPS[1, :14, :14]}
    with pytest.raises(InputError, match=r"the maps have different shapes: \[\(14, 14\), \(224, 224\)\]"):
        found(mixed, *IDS)
    assert found(mixed, "n02-b").shape == (1, 224, 224), "one at a time they are fine"


def test_what_is_no_file_of_maps_is_said(tmp_path: Path) -> None:
    subject = Subject.of(sparse_vgg())
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.txt").write_text("maps")
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 and no more")
    (tmp_path / "broken.npy").write_bytes(b"no numpy file")
    np.save(tmp_path / "objects.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    for name, reason in {
        "empty": "There is no .npy file in",
        "absent.npz": "there is no file or folder",
        "text.txt": "expected a .npz, a .npy or a folder of .npy files",
        "broken.npz": "Cannot read the maps in",
        "broken.npy": "Cannot read the maps in",
        "objects.npy": "Cannot read the maps in",
    }.items():
        with pytest.raises(InputError, match=reason):
            as_explainer("mine", tmp_path / name, subject)
    with pytest.raises(InputError, match="`options` has no meaning for maps that were made elsewhere"):
        as_explainer("mine", Configured({}, {"steps": 1}), subject)
    with pytest.raises(InputError, match="must know which images it is asked for: call for_images first"):
        precomputed({}).explain(IMAGES, [0, 0])
