"""`Foreground`: finds two animals on a plain or calm background, without weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes

from stackwalls.stackgen.localizing.localizer import Detections, PixelBox, check_nouns

if TYPE_CHECKING:
    from PIL.Image import Image

Float = NDArray[np.float32]
Mask = NDArray[np.uint8]
Cut = tuple[float, list[PixelBox]]  # its cost (0: identical halves), and the boxes on its two sides

_SHORT_SIDE = 128  # pixels at which frames are analyzed; boxes are accurate to about one of those
_SMALLEST = 16  # pixels: a frame with a shorter side has no usable border
_COMPARABLE = 0.25  # a piece with less than this share of the largest piece's area is not an animal of its own
_SMALL = 0.06  # pieces with less than this share of it are leaves and waves
# shares of the frame: less is not a foreground, and with more the border did not show the background
_LEAST, _MOST = 0.01, 0.90

_BORDER = 0.02  # width of the border that shows the background, as a share of the short side
_COLORS = 8  # most colors of a background: sky, two hills, a lawn, and their shades
_RARE = 0.02  # a color with a smaller share of the border is an ear that touches it
# of lightness and the two color axes of CIELAB: lightness varies over a background, its hue does not
_WEIGHTS = np.array((0.7, 1.0, 1.0), dtype=np.float32)
_NEAR, _FAR = 9.0, 22.0  # bounds of the color difference (CIELAB, weighted) above which a pixel is foreground …
# … which is this share of the threshold that separates the differences best (Otsu 1979): that cuts into dim animals
_OF_OTSU = 0.7

MAX_COST = 0.43
"""A cut that costs more splits one animal. On drawn images 5 % of single animals cost less, and 88 % of pairs."""

# a cut must be narrower than this share of the narrower half: the axis of a butterfly is as wide as its wings
_MAX_WAIST = 0.85
_FARTHEST = 0.25  # cuts are at most this share of the extent away from the middle
_CUTS = 25
_PATCH = 10  # halves are compared at this many pixels across: coarse enough to ignore the pose
_SCALES = np.array((100.0, 60.0, 60.0), dtype=np.float32)  # bring the color axes to about [0, 1] …
_SILHOUETTE = 0.5  # … and this is the weight of the silhouette next to them
# weights of a cut's width, of the halves' difference in shape, and of its squared distance from the middle
_WAIST, _ASPECT, _CENTER = 0.3, 0.4, 0.5


class Foreground:
    """Separates foreground from background by color, and a silhouette of two touching animals into two.

    It does not recognize objects: nouns are ignored, and a stack of two chairs is a pair too. The frame's border must
    show the background: plain, a gradient, sky and hills. The tests measure it on drawings of two stacked animals;
    photographs with a busy background need a detector.

    The score of a box is 1 minus the cost of the cut that separated it, or 1 for a piece that was separate.
    """

    name = "foreground"
    revision: str | None = "1"
    """Changes when the boxes do."""

    def locate(self, frames: Sequence[Image], nouns: Sequence[Sequence[str]]) -> list[Detections]:
        """Find what is in front of the background of each frame; see `Localizer`."""
        check_nouns(frames, nouns)
        return [self._locate(frame) for frame in frames]

    def _locate(self, frame: Image) -> Detections:
        factor = min(1.0, _SHORT_SIDE / min(frame.size))
        size = (max(1, round(frame.width * factor)), max(1, round(frame.height * factor)))
        image = np.asarray(frame.convert("RGB"))
        if factor < 1:
            image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        lab = np.asarray(cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), dtype=np.float32)
        boxes, scores = _boxes(lab) if min(size) >= _SMALLEST else ([], [])
        scale = np.tile(np.array(frame.size) / np.array(size), 2)  # to frame pixels, x and y
        return Detections.of(np.array(boxes, dtype=np.float64).reshape(-1, 4) * scale, scores, frame.size)


def _boxes(lab: Float) -> tuple[list[PixelBox], list[float]]:
    mask = foreground_mask(lab)
    if not _LEAST <= mask.mean() <= _MOST:
        return [], []
    if cut := divide(lab, mask):
        return cut[1], [1 - cut[0]] * 2
    _, boxes = _large_pieces(mask, _COMPARABLE)
    return boxes, [1.0] * len(boxes)


def foreground_mask(lab: Float) -> Mask:
    """What differs from the background: `(H, W)` uint8, 1 on the foreground, with holes filled.

    A pixel is background if it is close to one of the border's colors, or to a blend of the border's colors at the two
    ends of its row (a light that fades from left to right). An animal as bright as the sky is kept by its outline:
    what it encloses is filled.

    Args:
        lab: `(H, W, 3)` float32 CIELAB: lightness in [0, 100], the others around 0.
    """
    border = max(2, round(_BORDER * min(lab.shape[:2])))
    difference = np.minimum(_from_palette(lab, border), _from_row_ends(lab, border))
    levels = np.clip(difference * 3, 0, 255).astype(np.uint8)
    otsu, _ = cv2.threshold(levels, 0, 255, cv2.THRESH_OTSU)
    mask = (difference > float(np.clip(_OF_OTSU * otsu / 3, _NEAR, _FAR))).astype(np.uint8)
    # close outlines, fill holes, remove specks and small pieces
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    filled = binary_fill_holes(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, kernel)).astype(np.uint8)
    return _large_pieces(np.asarray(cv2.morphologyEx(filled, cv2.MORPH_OPEN, kernel), dtype=np.uint8), _SMALL)[0]


def _distance(lab: Float, color: Float) -> Float:
    return np.asarray(np.linalg.norm((lab - color) * _WEIGHTS, axis=-1))


def _from_palette(lab: Float, border: int) -> Float:
    """`(H, W)` distance to the nearest of the border's colors (k-means)."""
    edge = np.ones(lab.shape[:2], dtype=bool)
    edge[border:-border, border:-border] = False
    colors = lab[edge]  # (P, 3)
    # starts from eight levels of lightness, because OpenCV's random state cannot be restored
    labels = np.empty((len(colors), 1), dtype=np.int32)
    labels[np.argsort(colors[:, 0], kind="stable"), 0] = np.arange(len(colors)) * _COLORS // len(colors)
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 12, 0.5)
    _, found, centers = cv2.kmeans(colors, _COLORS, labels, criteria, 1, cv2.KMEANS_USE_INITIAL_LABELS)
    counts = np.bincount(np.asarray(found, dtype=np.int64).ravel(), minlength=_COLORS)
    palette = centers[counts > _RARE * len(colors)]
    return np.asarray(np.stack([_distance(lab, color) for color in palette]).min(axis=0))


def _from_row_ends(lab: Float, border: int) -> Float:
    """`(H, W)` distance to the line from the color of the row's left border to that of its right border."""
    along = np.linspace(0, 1, lab.shape[1], dtype=np.float32)[None, :, None]
    left, right = np.median(lab[:, :border], axis=1)[:, None], np.median(lab[:, -border:], axis=1)[:, None]
    return _distance(lab, left * (1 - along) + right * along)


def _large_pieces(mask: Mask, share: float) -> tuple[Mask, list[PixelBox]]:
    """The connected pieces with at least this share of the largest one's area, as a mask and as boxes."""
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    sizes = statistics[1:, cv2.CC_STAT_AREA]
    large = 1 + np.flatnonzero(sizes >= share * sizes.max(initial=0))
    boxes = [(x, y, x + width, y + height) for x, y, width, height in statistics[large, :4].tolist()]
    return np.isin(labels, large).astype(np.uint8), boxes


def divide(lab: Float, mask: Mask) -> Cut | None:
    """Find the horizontal or vertical cut that leaves the same animal on both sides; None if it is one animal.

    Two animals of one kind have similar colors and outlines, if not sizes; the two halves of one animal do not. The
    halves are compared as they are and mirrored left to right. `lab` and `mask` are as in `foreground_mask`.
    """
    shape = mask[:, :, None].astype(np.float32)
    image = np.concatenate([lab / _SCALES * shape, _SILHOUETTE * shape], axis=2)
    rows = list(_cuts(image, mask, mirrored=1))
    turned = np.ascontiguousarray(image.transpose(1, 0, 2)), np.ascontiguousarray(mask.T)
    columns = [(cost, [(y0, x0, y1, x1) for x0, y0, x1, y1 in boxes]) for cost, boxes in _cuts(*turned, mirrored=0)]
    best = min(rows + columns, key=lambda cut: cut[0], default=None)
    return best if best is not None and best[0] <= MAX_COST else None


def _cuts(image: Float, mask: Mask, mirrored: int) -> Iterator[Cut]:
    """The horizontal cuts of a silhouette. `mirrored` is the axis from left to right of the original image, 0 or 1."""
    whole = _box_of(mask)
    if whole is None:
        return
    top, bottom = whole[1], whole[3]
    widths = np.convolve(mask.sum(axis=1, dtype=np.float64), np.ones(3) / 3, "same")
    places = np.linspace(0.5 - _FARTHEST, 0.5 + _FARTHEST, _CUTS) * (bottom - top) + top
    for cut in np.unique(places.round().astype(int)).tolist():
        if not top < cut < bottom:
            continue
        waist = float(widths[cut] / min(widths[top:cut].max(), widths[cut:bottom].max()))
        upper, lower = _box_of(mask[:cut]), _box_of(mask[cut:])
        if waist > _MAX_WAIST or upper is None or lower is None:
            continue
        boxes = [upper, (lower[0], lower[1] + cut, lower[2], lower[3] + cut)]
        center = (cut - (top + bottom) / 2) / (bottom - top)
        yield _difference(image, boxes, mirrored) + _WAIST * waist + _CENTER * center**2, boxes


def _box_of(mask: Mask) -> PixelBox | None:
    """The bounding box of the foreground; None if there is none."""
    x, y, width, height = cv2.boundingRect(mask)
    return (x, y, x + width, y + height) if width else None


def _difference(image: Float, boxes: list[PixelBox], mirrored: int) -> float:
    """How much two boxes differ in content (as it is or mirrored) and in aspect ratio."""
    first, second = (
        np.asarray(cv2.resize(image[y0:y1, x0:x1], (_PATCH, _PATCH), interpolation=cv2.INTER_AREA), dtype=np.float32)
        for x0, y0, x1, y1 in boxes
    )
    covered = (first[..., 3].mean() + second[..., 3].mean()) / (2 * _SILHOUETTE)
    difference = min(np.abs(first - second).mean(), np.abs(first - np.flip(second, axis=mirrored)).mean())
    one, other = ((x1 - x0) / (y1 - y0) for x0, y0, x1, y1 in boxes)
    return float(difference / covered + _ASPECT * abs(np.log(one / other)))
