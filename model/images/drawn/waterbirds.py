"""Birds of the shore and the water, and the big runners: waders, swimmers, penguins, albatrosses, ostriches."""

from stackwalls.model.images.drawn.beaks import beak
from stackwalls.model.images.drawn.figure import Figure, Slot
from stackwalls.model.images.drawn.looks import Look
from stackwalls.model.images.drawn.parts import bead, eye, furry
from stackwalls.model.images.drawn.patterns import Region, coat
from stackwalls.model.images.drawn.pose import Pose

# Shapes are lists of points, which a formatter would set one a line:
# fmt: off

S = Slot
_PLUMAGE = (S.BASE, S.HEAD, S.SECOND, S.ACCENT, S.EXTRA, S.WHITE)


def wader(figure: Figure, look: Look, pose: Pose) -> None:
    """A long-legged bird.

    Options: `leg`, `neck` (lengths), `neckwidth`, `curve` (an S-shaped neck), `body` (half length), `beak`,
    `beakcolor`, `legs`, `wing`, `wingtip`, `wingbar`, `neckcolor`, `head`, `cap`, `mask`, `breast`, `belly`, `tuft`
    (length of a plume), `tail`, `face`, `brow`.
    """
    reach, body = look.number("leg", 70), look.number("body", 40)
    legs, swing = look.slot("legs", S.HORN), 5 * pose.limbs[0]
    for x, sway in ((-4, swing), (8, -swing)):
        knee = (x - 4, 16 + reach * 0.5)
        figure.limb(legs, ((x, 12), knee, (x + sway, 16 + reach)), (7, 6, 6))
        figure.limb(legs, ((x + sway - 8, 16 + reach), (x + sway + 14, 16 + reach)), 6)
    tail = look.slot("tail", look.slot("wingtip", S.SHADE))
    figure.polygon(tail, ((-body * 0.7, -8), (-body - 24, 6 + 3 * pose.tail), (-body - 18, 18), (-body * 0.5, 14)))
    figure.ellipse(S.BASE, 0, 0, body, body * 0.58 * (1 + 0.05 * pose.bend), angle=-6)
    _breast(figure, look, body)
    coat(figure, look, pose, Region(0, 0, body, body * 0.58))
    hx, hy = _neck(figure, look, pose, body)
    beak(figure, look.word("beak", "long"), look.slot("beakcolor", S.ACCENT), hx + 13, hy + 1)
    _wader_head(figure, look, hx, hy)
    _wing(figure, look, body)


def _breast(figure: Figure, look: Look, body: float) -> None:
    for key, (x, y, rx, ry) in {"breast": (0.75, 0.05, 0.5, 0.6), "belly": (0.0, 0.5, 0.85, 0.36)}.items():
        slot = look.slot(key)
        if slot:
            figure.ellipse(slot, x * body, y * body, rx * body, ry * body, over=(S.BASE,))


def _neck(figure: Figure, look: Look, pose: Pose, body: float) -> tuple[float, float]:
    """The neck, straight or S-shaped; returns where the head is."""
    neck, width = look.number("neck", 60), look.number("neckwidth", 13)
    slot = look.slot("neckcolor", S.HEAD)
    sway = 5 * pose.head
    root = (body * 0.66, -body * 0.14)
    if look.number("curve", 0):
        head = (root[0] + 22 + sway, root[1] - neck)
        bends = (
            (root[0] + 24, root[1] - neck * 0.3), (root[0] - 4, root[1] - neck * 0.66),
            (head[0] - 14, head[1] - 2),
        )
        figure.limb(slot, (root, *bends, head), (width * 1.7, width * 1.1, width, width, width))
    else:
        head = (root[0] + neck * 0.2 + sway, root[1] - neck)
        figure.limb(
            slot,
            ((root[0] - 6, root[1] + 6), (root[0] + neck * 0.14, root[1] - neck * 0.4), head),
            (width * 2.2, width * 1.1, width),
        )
    return head


def _wader_head(figure: Figure, look: Look, x: float, y: float) -> None:
    radius = look.number("headsize", 15)
    tuft = look.number("tuft", 0)
    if tuft:
        figure.limb(
            look.slot("tuftcolor", S.ACCENT), ((x, y - 8), (x - 14, y - 10), (x - 14 - tuft, y + 2)), (7, 6, 3)
        )
    figure.ellipse(look.slot("head", look.slot("neckcolor", S.HEAD)), x, y, radius * 1.15, radius)
    for key, (dx, dy, rx, ry) in {
        "cap": (-0.1, -0.7, 1.05, 0.55),
        "face": (0.5, 0.1, 0.75, 0.75),
        "mask": (0.2, -0.15, 1.0, 0.35),
        "brow": (0, -0.55, 1.0, 0.25),
        "shield": (1.0, -0.5, 0.45, 0.5),
    }.items():
        slot = look.slot(key)
        if slot:
            figure.ellipse(slot, x + dx * radius, y + dy * radius, rx * radius, ry * radius)
    iris = look.slot("iris")
    if iris:
        eye(figure, x + 4, y - 3, 5, iris)
    else:
        bead(figure, x + 4, y - 3, 4)


def _wing(figure: Figure, look: Look, body: float) -> None:
    wing, tip, bar = look.slot("wing", S.SHADE), look.slot("wingtip"), look.slot("wingbar")
    b = body
    figure.blob(
        wing,
        (
            (b * 0.5, -b * 0.3), (b * 0.4, b * 0.15), (-b * 0.3, b * 0.36), (-b * 1.3, b * 0.26),
            (-b * 0.7, -b * 0.2), (-b * 0.1, -b * 0.5),
        ),
    )
    if tip:
        figure.ellipse(tip, -b * 1.05, b * 0.22, b * 0.55, b * 0.42, over=(wing,))
    if bar:
        figure.limb(bar, ((b * 0.2, -b * 0.4), (0, b * 0.06), (-b * 0.3, b * 0.4)), 8, over=(wing,))


def swimmer(figure: Figure, look: Look, pose: Pose) -> None:
    """A bird afloat.

    Options: `neck` (length), `neckwidth`, `curve` (a swan's neck), `beak`, `beakcolor`, `head`, `neckcolor`,
    `breast`, `flank`, `wing`, `wingbar`, `ring` (collar), `crest` (length), `shield`, `cheek`, `tail` (slot), `body`.
    """
    body = look.number("body", 56)
    lift = 3 * pose.tail
    tail = look.slot("tail", S.SHADE)
    figure.polygon(tail, ((-body * 0.7, -8), (-body - 22, -22 + lift), (-body - 12, 2 + lift), (-body * 0.6, 14)))
    hull = (
        (body, -6), (body * 0.7, -22), (0, -22), (-body * 0.7, -16), (-body, -4), (-body * 0.7, 20), (0, 28),
        (body * 0.72, 22),
    )
    figure.blob(S.BASE, hull)
    hx, hy = _swimmer_neck(figure, look, pose, body)
    for key, (x, y, rx, ry) in {
        "breast": (0.74, 0, 0.42, 34),
        "flank": (0, 14, 0.75, 16),
        "vent": (-0.85, 0, 0.3, 24),
    }.items():
        slot = look.slot(key)
        if slot:
            figure.ellipse(slot, x * body, y, rx * body, ry, over=(S.BASE,))
    coat(figure, look, pose, Region(0, 2, body, 26))
    _swimmer_head(figure, look, hx, hy, look.number("neckwidth", 22))
    wing = look.slot("wing", S.SHADE)
    figure.blob(
        wing, ((body * 0.45, -14), (body * 0.35, 4), (-body * 0.2, 12), (-body * 1.05, -8 + lift), (-body * 0.4, -20))
    )
    if look.slot("wingbar"):
        figure.ellipse(look.slot("wingbar"), -body * 0.25, 0, 18, 12, over=(wing,))


def _swimmer_neck(figure: Figure, look: Look, pose: Pose, body: float) -> tuple[float, float]:
    """The neck, straight or a swan's; returns where the head is."""
    neck, width = look.number("neck", 30), look.number("neckwidth", 22)
    neck_slot = look.slot("neckcolor", look.slot("head", S.HEAD))
    hx, hy = body * 0.78 + 4 * pose.head, -22 - neck + 3 * pose.bend
    if look.number("curve", 0):
        bends = ((body * 0.6, -2), (body * 0.95, -20), (body * 0.6, -20 - neck * 0.55), (hx - 12, hy - 4), (hx, hy))
        figure.limb(neck_slot, bends, (width * 1.6, width * 1.2, width * 0.9, width * 0.85, width * 0.9))
    else:
        figure.limb(
            neck_slot, ((body * 0.55, -4), (body * 0.68, -20 - neck * 0.3), (hx, hy)), (width * 1.7, width * 1.1, width)
        )
    return hx, hy


def _swimmer_head(figure: Figure, look: Look, x: float, y: float, width: float) -> None:
    skin = (S.HEAD, look.slot("neckcolor", look.slot("head", S.HEAD)))
    if look.slot("ring"):
        figure.ellipse(look.slot("ring"), x - 6, y + width * 1.05, width, 6, over=skin)
    crest = look.number("crest", 0)
    for drop in (-4, 6) if crest else ():
        figure.limb(look.slot("head", S.HEAD), ((x - 8, y - 6), (x - 16 - crest, y - 8 + drop)), (9, 3))
    beak(figure, look.word("beak", "flat"), look.slot("beakcolor", S.ACCENT), x + 16, y + 2)
    figure.ellipse(look.slot("head", S.HEAD), x, y, 20, 17)
    for key, (dx, dy, rx, ry) in {"cap": (-3, -10, 18, 8), "cheek": (-2, 8, 12, 9), "shield": (15, -8, 8, 10)}.items():
        slot = look.slot(key)
        if slot:
            figure.ellipse(slot, x + dx, y + dy, rx, ry)
    iris = look.slot("iris")
    if iris:
        eye(figure, x + 7, y - 4, 5.5, iris)
    else:
        bead(figure, x + 7, y - 4, 4.5)


def penguin(figure: Figure, look: Look, pose: Pose) -> None:
    """A penguin, upright."""
    for x in (-8, 16):
        figure.ellipse(S.HORN, x, 74, 15, 7)
    figure.polygon(S.BASE, ((-30, 40), (-44, 76 + 3 * pose.tail), (-16, 70)))
    figure.blob(S.BASE, ((8, -50), (28, -20), (38, 24), (24, 66), (-14, 70), (-34, 34), (-26, -14), (-10, -48)))
    figure.blob(S.WHITE, ((24, -34), (36, 0), (40, 30), (26, 66), (2, 64), (-2, 20), (8, -20)), over=(S.BASE,))
    figure.ellipse(S.SECOND, 22, -30, 18, 15, over=(S.BASE, S.WHITE))
    hx, hy = 10 + 3 * pose.head, -62 + 2 * pose.head
    figure.limb(S.PUPIL, ((hx + 10, hy), (hx + 34, hy - 4), (hx + 50, hy + 2)), (12, 8, 4))
    figure.limb(S.SECOND, ((hx + 14, hy + 4), (hx + 36, hy)), (5, 4))
    figure.ellipse(S.ACCENT, hx, hy, 24, 20)
    figure.ellipse(S.SECOND, hx - 6, hy + 8, 11, 14, angle=20)
    eye(figure, hx + 8, hy - 5, 5)
    figure.blob(S.SHADE, ((-8, -32), (4, -10), (-4, 30), (-22 - 10 * abs(pose.limbs[0]), 50), (-20, 10), (-18, -20)))


def albatross(figure: Figure, look: Look, pose: Pose) -> None:
    """A seabird gliding on long narrow wings."""
    lift = 8 * pose.bend
    figure.blob(S.SHADE, ((14, -8), (26, -36), (74, -74 + lift), (116, -80 + lift), (92, -56 + lift), (46, -16)))
    figure.polygon(S.ACCENT, ((-42, -4), (-70, -10 + 4 * pose.tail), (-70, 12 + 4 * pose.tail), (-40, 12)))
    figure.blob(S.BASE, ((60, -6), (34, -20), (-20, -16), (-54, 2), (-20, 18), (34, 18)))
    hx, hy = 60, -8 + 4 * pose.head
    beak(figure, "hook", S.PINK, hx + 16, hy + 3)
    figure.ellipse(S.HEAD, hx, hy, 20, 17)
    bead(figure, hx + 7, hy - 3, 4.5)
    figure.limb(S.EDGE, ((hx + 1, hy - 8), (hx + 12, hy - 6)), 3.5)
    figure.blob(S.SECOND, ((26, -6), (4, -34), (-62, -84 + lift), (-124, -96 + lift), (-82, -60 + lift), (-24, 4)))
    figure.blob(S.ACCENT, ((-60, -82 + lift), (-128, -98 + lift), (-82, -62 + lift)))


def ostrich(figure: Figure, look: Look, pose: Pose) -> None:
    """An ostrich: a ball of feathers on strong legs, a long bare neck."""
    swing = 8 * pose.limbs[0]
    for x, sway, slot in ((-6, -swing, S.SECOND_SHADE), (10, swing, S.SECOND)):
        figure.limb(slot, ((x, 20), (x - 8, 56), (x + sway, 98)), (22, 11, 8))
        figure.limb(slot, ((x + sway - 4, 98), (x + sway + 16, 100)), 8)
    furry(figure, S.WHITE, -50, -8 + 4 * pose.tail, 18, 16, pose.noise, 8, 16)
    furry(figure, S.BASE, 0, 0, 52, 34, pose.noise, 8, 30)
    figure.limb(S.SECOND, ((34, -4), (52, -34), (48 + 6 * pose.head, -84)), (22, 13, 11))
    hx, hy = 50 + 6 * pose.head, -90
    figure.polygon(S.BONE, ((hx + 8, hy - 7), (hx + 32, hy + 4), (hx + 8, hy + 9)))
    figure.ellipse(S.SECOND, hx, hy, 16, 13)
    bead(figure, hx + 4, hy - 3, 5)
    figure.blob(S.SHADE, ((22, -16), (16, 8), (-16, 20), (-46, 10), (-30, -14), (0, -24)))
    furry(figure, S.WHITE, -36, 14, 18, 10, pose.noise, 5, 16)
