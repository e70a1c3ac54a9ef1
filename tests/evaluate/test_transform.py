"""Which images are resized and cropped, and that the results say it."""

from pathlib import Path

import numpy as np
import pytest
import pytorch_grad_cam
from in_memory_dataset import InMemoryDataset, sparse_vgg, walled_cnn
from PIL import Image
from torchvision import transforms

from stackwalls.evaluate import METHODS, evaluate, mu
from stackwalls.evaluate.checks import beyond_mu
from stackwalls.hub_cards import open_dataset
from stackwalls.model import InputError, RunError, Transform, Wall, to_input

SIZES = [(224, 224), (300, 250), (224, 224), (224, 400)]
PAPERS = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("stack-gen")
    for number, (width, height) in enumerate(SIZES):
        noise = np.random.default_rng(number).integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
        Image.fromarray(noise).resize((width, height)).save(place / f"{number}.png")
    return place


@pytest.mark.parametrize(("transform", "resized"), [("auto", {1, 3}), ("resize-crop", {0, 1, 2, 3})])
def test_what_is_done_to_an_image(transform: str, resized: set[int], folder: Path) -> None:
    (batch,) = open_dataset(folder).batches(4, resizing=transform)
    for number, (image, done) in enumerate(zip(batch.images, batch.transforms, strict=True)):
        given = Image.open(folder / f"{number}.png")
        expected = PAPERS(given) if number in resized else given
        assert done == ("resize-crop" if number in resized else "as-is")
        assert np.array_equal(image, np.asarray(expected))


def test_only_images_of_the_right_size_are_used_as_they_are(folder: Path) -> None:
    with pytest.raises(RunError, match=r"image 1\.png in .* is 300 × 250 pixels: expected 224 × 224 .*--transform"):
        list(open_dataset(folder).batches(4, resizing="as-is"))
    with pytest.raises(InputError, match="Expected `transform` to be 'auto' or 'as-is' or 'resize-crop', but got 'x'"):
        evaluate(walled_cnn(), folder, transform="x")


def test_table_1_of_a_flat_folder_with_images_of_other_sizes(folder: Path) -> None:
    """As the authors publish STACK-GEN, and as their code computes it: their transform, grad-cam, the unbiased std."""
    model = sparse_vgg(1 / 32)
    results = evaluate(model, folder, transform="resize-crop", progress=False)
    inputs = to_input(np.stack([np.asarray(PAPERS(Image.open(folder / f"{number}.png"))) for number in range(4)]))
    maps = pytorch_grad_cam.GradCAMPlusPlus(model, [model.target_layer])(inputs, None)
    theirs = 100 * mu(maps, model.wall)
    heading, columns, *rows = results.table().splitlines()
    assert folder.name in heading
    assert "top-1" not in heading  # a flat folder has no labels
    assert columns.split()[:5] == ["method", "|", "mu", "×", "100"]
    assert [row.split()[0] for row in rows[:8]] == [*METHODS, "chance"]
    mean, std = rows[1].split("|")[1].split()[:3:2]
    assert (float(mean), float(std)) == (round(theirs.mean(), 1), round(theirs.std(ddof=1), 1))


def test_the_networks_own_transform_and_size(folder: Path) -> None:
    model = walled_cnn("bottom:32@96")
    model.transform = Transform(96, 100, "bicubic", squash=True)
    results = evaluate(model, folder, ["GradCAM"], progress=False)
    for name, image in zip(results.samples.image_id, results.samples.images, strict=True):
        squashed = Image.open(folder / name).convert("RGB").resize((100, 100), Image.Resampling.BICUBIC)
        assert np.array_equal(image, np.asarray(squashed)[2:98, 2:98])
    assert "resized and cropped (both sides 100, bicubic, center crop 96)" in results.report_text()
    model.transform = Transform.of_size(128)
    with pytest.raises(InputError, match=r"takes images of 128 × 128 pixels .* the wall bottom:32@96 is of 96 × 96"):
        evaluate(model, folder, ["GradCAM"], progress=False)


def test_a_set_of_another_size_is_refused() -> None:
    small = InMemoryDataset([0, 1], "small", wall=Wall.parse("bottom:32@96"), size=96)
    said = r"small has images of 96 × 96 pixels \(wall bottom:32@96\), but walled:small takes 224 × 224"
    for run in (evaluate, beyond_mu):
        with pytest.raises(InputError, match=said):
            run(walled_cnn(), small, ["GradCAM"], progress=False)
    assert beyond_mu(walled_cnn("bottom:32@96"), small, ["GradCAM"], progress=False).per_image["same_logits"].all()


def test_the_results_say_it(folder: Path) -> None:
    model, options = walled_cnn(), {"methods": "GradCAM", "progress": False}
    mixed = evaluate(model, folder, **options)
    assert mixed.run["datasets"][0]["transforms"] == {"as-is": 2, "resize-crop": 2}
    said = f"{folder.name}: of its images, 2 used as they are (224 × 224) and 2 resized and cropped (shorter side 256, "
    assert said in mixed.report_text()
    assert "--transform resize-crop treats all alike" in mixed.report_text()
    alike = evaluate(model, folder, transform="resize-crop", limit=3, **options)
    assert alike.run["datasets"][0]["transforms"] == {"resize-crop": 3}
    assert list(alike.per_image["transform"]) == ["resize-crop"] * 3
    assert "treats all alike" not in alike.report_text()
    assert alike.per_image["mu"][0] != mixed.per_image["mu"][0]
