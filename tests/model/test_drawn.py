"""The drawn world: the table is complete, pictures are reproducible, boxes and masks are exact, species differ."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image

from stackwalls.model import InputError, animals, find_class
from stackwalls.model.images.drawn import contact_sheet, draw, draw_scene, drawn_classes, portrait
from stackwalls.model.images.drawn.archetypes import ARCHETYPES
from stackwalls.model.images.drawn.figure import Figure, Slot
from stackwalls.model.images.drawn.looks import Look, looks, palette
from stackwalls.model.images.drawn.paint import paint, place
from stackwalls.model.images.drawn.patterns import COATS
from stackwalls.model.images.drawn.pose import Pose
from stackwalls.model.images.drawn.scene import _shaded, box_of, seeded

INDICES = [entry.index for entry in drawn_classes()]
SMALL = 64


def index_of(name: str) -> int:
    found = find_class(name)
    assert found is not None
    return found.index


# the table


def test_every_animal_can_be_drawn_in_index_order() -> None:
    assert drawn_classes() == animals()


def test_every_row_names_an_archetype_and_coats_that_exist() -> None:
    for index, look in looks().items():
        assert look.archetype in ARCHETYPES, index
        assert {kind for kind, _, _ in look.pattern} <= set(COATS), index


def test_every_archetype_and_every_coat_is_used() -> None:
    assert {look.archetype for look in looks().values()} == set(ARCHETYPES)
    assert {kind for look in looks().values() for kind, _, _ in look.pattern} == set(COATS)


class Recorded(dict[str, Any]):
    """Options that remember which of them were asked for."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self.read: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.read.add(key)
        return super().get(key, default)


@pytest.mark.parametrize("archetype", sorted(ARCHETYPES))
def test_every_option_of_the_table_is_read_by_its_archetype(archetype: str) -> None:
    unread = {}
    for index, look in looks().items():
        if look.archetype == archetype:
            options = Recorded(look.options)
            ARCHETYPES[archetype](Figure(), Look(archetype, look.colors, look.pattern, options), Pose.still())
            if set(options) - options.read:
                unread[index] = sorted(set(options) - options.read)
    assert unread == {}


# reproducible


def test_a_picture_is_a_square_of_rgb_bytes() -> None:
    picture = draw(index_of("robin"), 5)
    assert (picture.shape, picture.dtype) == ((256, 256, 3), np.uint8)


@settings(max_examples=40, deadline=None)
@given(index=st.sampled_from(INDICES), seed=st.integers(-(2**70), 2**70), count=st.integers(1, 2))
def test_the_same_arguments_give_the_same_bytes(index: int, seed: int, count: int) -> None:
    first, second = (draw_scene(index, seed, size=SMALL, animals=count) for _ in range(2))
    assert first.image.tobytes() == second.image.tobytes()
    assert first.boxes == second.boxes


def test_another_process_draws_the_same_bytes() -> None:
    code = (
        "import hashlib; from stackwalls.model.images.drawn import draw_scene;"
        "print(hashlib.sha256(draw_scene(292, 7, size=96, animals=2).image.tobytes()).hexdigest())"
    )
    import hashlib

    here = hashlib.sha256(draw_scene(292, 7, size=96, animals=2).image.tobytes()).hexdigest()
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert there.stdout.strip() == here


def test_the_generator_is_pcg64_of_a_sha256() -> None:
    import hashlib

    digest = hashlib.sha256(b"stackwalls.drawn:15:3").digest()
    expected = np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big"))).integers(2**60)
    assert seeded(15, 3).integers(2**60) == expected


def test_drawing_leaves_numpys_global_state_alone() -> None:
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].tolist()  # type: ignore[index,union-attr]  # noqa: NPY002
    draw(0, 0, SMALL)
    assert np.random.get_state()[1].tolist() == before  # type: ignore[index,union-attr]  # noqa: NPY002


def test_seeds_give_different_pictures() -> None:
    pictures = {draw(index_of("tabby"), seed, SMALL).tobytes() for seed in range(40)}
    assert len(pictures) == 40


def test_place_and_pose_vary() -> None:
    boxes = {draw_scene(index_of("goldfish"), seed, size=128).boxes[0] for seed in range(12)}
    assert len(boxes) > 8


@pytest.mark.parametrize("index", INDICES)
def test_every_class_draws(index: int) -> None:
    scene = draw_scene(index, 1, size=SMALL)
    background = draw_scene(index, 1, size=SMALL, animals=0).image
    changed = (scene.image != background).any(axis=2)
    assert scene.masks[0].mean() > 0.03
    assert (changed <= scene.masks[0]).all()
    x0, y0, x1, y1 = scene.boxes[0]
    assert max(x1 - x0, y1 - y0) > 0.6 * SMALL


# boxes and masks


@settings(max_examples=150, deadline=None)
@given(
    index=st.sampled_from(INDICES),
    seed=st.integers(0, 10**9),
    count=st.integers(1, 2),
    size=st.integers(32, 150),
    height=st.one_of(st.none(), st.integers(32, 150)),
)
def test_boxes_are_the_extents_of_the_masks_and_nothing_else_is_painted(
    index: int, seed: int, count: int, size: int, height: int | None
) -> None:
    scene = draw_scene(index, seed, size=size, animals=count, height=height)
    background = draw_scene(index, seed, size=size, animals=0, height=height)
    assert scene.image.shape == (height or size, size, 3)
    assert scene.masks.shape == (count, height or size, size)
    assert (background.boxes, len(background.masks)) == ((), 0)
    outside = ~scene.masks.any(axis=0)
    assert outside.any()
    np.testing.assert_array_equal(scene.image[outside], background.image[outside])
    for mask, (x0, y0, x1, y1) in zip(scene.masks, scene.boxes, strict=True):
        ys, xs = np.nonzero(mask)
        assert (x0, y0, x1, y1) == (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)


@pytest.mark.parametrize("index", INDICES[::3])
def test_two_animals_are_stacked_large_and_touching(index: int) -> None:
    for seed in range(3):
        scene = draw_scene(index, seed, size=96, animals=2)
        upper, lower = scene.boxes
        assert (upper[1] + upper[3]) / 2 < (lower[1] + lower[3]) / 2 - 0.15 * 96
        assert upper[3] >= lower[1]
        grown = scene.masks[0].copy()
        grown[1:] |= scene.masks[0][:-1]
        assert (grown & scene.masks[1]).any()
        for x0, y0, x1, y1 in scene.boxes:
            assert max((x1 - x0) / 96, (y1 - y0) / 48) > 0.72


def test_the_mask_is_the_animal() -> None:
    """A ladybird's red is inside its mask and nowhere else."""
    index = index_of("ladybug")
    scene = draw_scene(index, 2, size=128, mirror=False, tilt=0)
    inside = scene.image[scene.masks[0]].astype(int)
    red = (inside[:, 0] > 120) & (inside[:, 1] < 90) & (inside[:, 2] < 90)
    outside = scene.image[~scene.masks[0]].astype(int)
    assert red.mean() > 0.3
    assert not ((outside[:, 0] > 120) & (outside[:, 1] < 90) & (outside[:, 2] < 90)).any()


def test_without_mirroring_a_bird_faces_right() -> None:
    """The beak of a toucan, the only orange in it, is on the right half of its box."""
    index = index_of("toucan")
    for seed in range(10):
        scene = draw_scene(index, seed, size=128, mirror=False)
        image = scene.image.astype(int)
        orange = scene.masks[0] & (image[..., 0] > 150) & (image[..., 0] - image[..., 2] > 110)
        x0, _, x1, _ = scene.boxes[0]
        assert np.nonzero(orange)[1].mean() > (x0 + x1) / 2


def test_box_of_counts_from_zero_to_one_past_the_end() -> None:
    mask = np.zeros((5, 7), dtype=bool)
    mask[2, 3:6] = True
    assert box_of(mask) == (3, 2, 6, 3)


# the species


def test_no_two_species_look_alike() -> None:
    """Still, on white and reduced to 32 x 32, any two differ by more than the margin (root mean square of 0..255)."""
    margin = 18.0
    small = [Image.fromarray(portrait(i, 128)).resize((32, 32), Image.Resampling.BOX) for i in INDICES]
    pixels = np.stack([np.asarray(picture, dtype=np.float32).ravel() for picture in small])
    squares = (pixels**2).sum(axis=1)
    distance = np.sqrt(np.maximum(squares[:, None] + squares - 2 * pixels @ pixels.T, 0) / pixels.shape[1])
    distance[np.diag_indices(len(INDICES))] = np.inf
    closest = np.unravel_index(distance.argmin(), distance.shape)
    assert distance.min() > margin, [INDICES[k] for k in closest]


def test_species_have_their_colors() -> None:
    """Mean colors of the still drawings, where a field guide leaves no doubt."""

    def mean(name: str) -> tuple[float, float, float]:
        image = portrait(index_of(name), 128).astype(float)
        red, green, blue = image[(image != 255).any(axis=2)].mean(axis=0)
        return red, green, blue

    red, green, blue = mean("flamingo")
    assert red > green + 40
    assert red > blue + 20
    red, green, blue = mean("green mamba")
    assert green > red + 40
    red, green, blue = mean("indigo bunting")
    assert blue > red + 60
    assert min(mean("ice bear")) > 170
    assert max(mean("black swan")) < 90


def test_a_dalmatian_has_spots_and_a_zebra_has_bands() -> None:
    for name, least in (("dalmatian", 12), ("zebra", 6)):
        row_changes = []
        image = portrait(index_of(name), 256)[..., 0].astype(int)
        for row in image[80:180]:
            dark = row < 90
            row_changes.append(int((dark[1:] & ~dark[:-1]).sum()))
        assert max(row_changes) >= least // 2 + 2, name


# the picture's parts


def test_a_polygon_is_painted_with_the_mean_of_two_by_two() -> None:
    """A rectangle's inner pixels are its color with full alpha; alpha falls to 0 outside the rim."""
    figure = Figure()
    figure.polygon(Slot.BASE, ((0, 0), (40, 0), (40, 20), (0, 20)))
    colors = np.zeros((len(Slot), 4), dtype=np.uint8)
    colors[Slot.BASE] = (10, 200, 30, 255)
    colors[Slot.EDGE] = (1, 2, 3, 255)
    sprite = paint(place(figure), colors, 1.0)
    assert sprite[len(sprite) // 2, sprite.shape[1] // 2].tolist() == [10, 200, 30, 255]
    assert sprite.shape[1] - 40 in (2, 3)
    assert sprite.shape[0] - 20 in (2, 3)


def test_a_pattern_stays_on_its_slot() -> None:
    figure = Figure()
    figure.polygon(Slot.BASE, ((0, 0), (20, 0), (20, 40), (0, 40)))
    figure.polygon(Slot.HEAD, ((20, 0), (40, 0), (40, 40), (20, 40)))
    figure.polygon(Slot.BLACK, ((-30, 15), (70, 15), (70, 25), (-30, 25)), over=(Slot.BASE,))
    colors = np.zeros((len(Slot), 4), dtype=np.uint8)
    colors[1:, 3] = 255
    colors[Slot.HEAD, 0] = colors[Slot.BASE, 1] = 200
    sprite = paint(place(figure), colors, 1.0)
    assert place(figure).size == (40, 40)
    middle = sprite[len(sprite) // 2]
    assert middle[10].tolist() == [0, 0, 0, 255]
    assert middle[32].tolist() == [200, 0, 0, 255]


def test_light_falls_off_towards_the_other_side() -> None:
    """Brighter on the right by 0.1: the left column keeps nine tenths, the right one all, alpha stays."""
    flat = np.full((5, 4, 4), 200, dtype=np.uint8)
    shaded = _shaded(flat, 0.1, 0.0)
    assert shaded[:, 0, 0].tolist() == [200 * (256 - 25) // 256] * 5
    assert shaded[:, -1, 0].tolist() == [200] * 5
    assert (shaded[..., 3] == 200).all()
    assert (np.diff(_shaded(flat, 0.0, -0.1)[:, 0, 1].astype(int)) <= 0).all()


def test_only_clear_is_transparent() -> None:
    for look in looks().values():
        alpha = palette(look)[:, 3]
        assert alpha[0] == 0
        assert (alpha[1:] == 255).all()


def test_backgrounds_are_light_and_calm() -> None:
    """Pixels of 60 backgrounds: bright on the average, and few strong edges inside any of them."""
    for seed in range(60):
        image = draw_scene(0, seed, size=96, animals=0).image.astype(int)
        assert image.mean() > 100
        steps = np.abs(np.diff(image, axis=1)).max(axis=2)
        assert (steps > 60).mean() < 0.03


def test_a_contact_sheet_is_pictures_row_by_row() -> None:
    sheet = contact_sheet([0, 1, 0], seed=4, columns=2, cell=SMALL)
    assert sheet.shape == (2 * SMALL, 2 * SMALL, 3)
    np.testing.assert_array_equal(sheet[:SMALL, :SMALL], draw(0, 4, SMALL))
    np.testing.assert_array_equal(sheet[:SMALL, SMALL:], draw(1, 4, SMALL))
    np.testing.assert_array_equal(sheet[SMALL:, :SMALL], draw(0, 5, SMALL))
    assert (sheet[SMALL:, SMALL:] == 255).all()


# wrong calls


@pytest.mark.parametrize("index", [398, -1, 999])
def test_a_class_that_cannot_be_drawn_is_refused(index: int) -> None:
    with pytest.raises(InputError, match=f"Class {index} cannot be drawn"):
        draw(index, 0)


def test_a_wrong_number_of_animals_is_refused() -> None:
    with pytest.raises(InputError, match="0, 1 or 2 animals"):
        draw_scene(0, 0, animals=3)


def test_a_tiny_picture_is_refused() -> None:
    with pytest.raises(InputError, match="at least 32 x 32 pixels, but got 8 x 8"):
        draw(0, 0, 8)
