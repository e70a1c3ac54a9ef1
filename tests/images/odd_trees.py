"""Images and folders as nobody should make them, from a seed."""

import io
import os
import socket
import struct
import tarfile
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "F", "I;16")
KINDS = ("PNG", "JPEG", "TIFF", "WEBP", "GIF", "BMP", "PPM")
CLASSES = ("n01440764", "goldfish", "2", "003", "n01496331", "Hen", "ostrich, Struthio camelus")
OTHERS = ("unicorn", "n99999999", ".hidden", "1000", "train ", "été", "x.png")


def odd_image(rng: np.random.Generator) -> bytes:
    """An image of any mode, kind and size, whole or damaged."""
    data = _saved(rng)
    damage = rng.integers(0, 16)
    if damage == 0:
        return data[: rng.integers(0, len(data))]
    if damage == 1:
        flipped = bytearray(data)
        for place in rng.integers(0, len(data), 5):
            flipped[place] ^= 0xFF
        return bytes(flipped)
    rare = (b"", b"\0" * 4096, b"<html>404</html>", _png(50_000, 50_000, b""), _bomb(), _scans())
    return rare[damage - 2] if damage - 2 < len(rare) else data


def _saved(rng: np.random.Generator) -> bytes:
    width, height = rng.integers(32, 90, 2)
    if rng.random() < 0.15:
        width, height = [(1, 1), (31, 40), (3000, 1), (3200, 32), (3300, 32), (32, 3200), (2000, 1500)][rng.integers(7)]
    pixels = Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
    mode, kind = MODES[rng.integers(len(MODES))], KINDS[rng.integers(len(KINDS))]
    if mode == "RGB" and kind == "PNG":
        return _png(width, height, rng.bytes(height * (width * 6 + 1)))
    exif, buffer = Image.Exif(), io.BytesIO()
    exif[0x0112] = int(rng.integers(1, 9))
    try:
        image = pixels.convert("L").convert(mode) if mode in ("I;16", "PA") else pixels.convert(mode)
        image.save(buffer, kind, exif=exif, save_all=bool(rng.random() < 0.2), append_images=[image] * 3)
    except (OSError, ValueError, KeyError):  # a mode that this kind does not hold
        buffer = io.BytesIO()
        pixels.save(buffer, kind)
    return buffer.getvalue()


def _png(width: int, height: int, lines: bytes, extra: bytes = b"") -> bytes:
    """A PNG with 16 bits a channel, RGB."""
    lines = b"".join(b"\0" + lines[i + 1 : i + width * 6 + 1] for i in range(0, len(lines), width * 6 + 1))
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    parts = _chunk(b"IHDR", header), extra, _chunk(b"IDAT", zlib.compress(lines)), _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


@cache
def _bomb() -> bytes:
    """A PNG with a color profile of 64 MB, in 64 kB."""
    return _png(64, 64, b"", extra=_chunk(b"iCCP", b"x\0\0" + zlib.compress(b"\0" * (1 << 26))))


@cache
def _scans() -> bytes:
    """A progressive JPEG whose last scan comes 500 times."""
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    return data[:-2] + data[data.rindex(b"\xff\xda") : -2] * 500 + data[-2:]


def odd_name(rng: np.random.Generator, number: int) -> str:
    """The name of an image file."""
    stems = (f"{number}", f"ü {number}", f"a\nb\x1b[31m{number}", f"{number}" + "x" * 240, f"'$(x)' {number}")
    endings = (".png", ".PNG", ".jpg", ".JPEG", ".tif", ".webp", ".gif", ".bmp", ".ppm")
    return stems[int(rng.integers(0, 40)) % 8 % len(stems)] + endings[rng.integers(len(endings))]


def odd_tree(root: Path, seed: int) -> None:
    """Class folders with whatever may be in them and beside them."""
    rng = np.random.default_rng(seed)
    for folder in rng.permutation(CLASSES)[: rng.integers(0, 5)]:
        inside = root / str(folder) / ("deep/er" if rng.random() < 0.2 else "")
        inside.mkdir(parents=True)
        for number in range(rng.integers(0, 5)):
            whole = rng.random() < 0.6
            (inside / odd_name(rng, number)).write_bytes(plain_image(seed, folder, number) if whole else odd_image(rng))
    root.mkdir(exist_ok=True)
    below = [root, *(path for path in root.rglob("*") if path.is_dir())]
    for name in rng.permutation(list(ODDITIES))[: rng.integers(0, 3)]:
        ODDITIES[name](below[rng.integers(len(below))])


def plain_image(*seed: object) -> bytes:
    """A PNG that is as it should be, another one for each seed."""
    buffer, numbers = io.BytesIO(), np.random.default_rng([zlib.crc32(str(part).encode()) for part in seed])
    Image.fromarray(numbers.integers(0, 256, (50, 40, 3), dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        here = Path.cwd()
        os.chdir(path.parent)  # its path may have 108 bytes
        try:
            bound.bind(path.name)
        finally:
            os.chdir(here)


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(20 << 30)


def _many_empty(folder: Path) -> None:
    for number in range(2000):
        (folder / f"empty-{number}.png").touch()


def _deep(folder: Path) -> None:
    here = Path.cwd()
    os.chdir(folder)
    try:
        for _ in range(1100):
            Path("d").mkdir()
            os.chdir("d")
        Path("deepest.png").write_bytes(plain_image("deepest"))
    finally:
        os.chdir(here)


def _hidden_copies(folder: Path) -> None:
    (folder / ".ipynb_checkpoints").mkdir()
    for path in [path for path in folder.iterdir() if path.is_file()][:3]:
        (folder / ".ipynb_checkpoints" / path.name[-50:]).write_bytes(path.read_bytes())


ODDITIES: dict[str, Callable[[Path], object]] = {
    "FIFO": lambda folder: os.mkfifo(folder / "pipe.png"),
    "FIFO of rows": lambda folder: os.mkfifo(folder / "pipe.parquet"),
    "socket": lambda folder: _socket(folder / "socket.jpg"),
    "device": lambda folder: (folder / "device.png").symlink_to("/dev/zero"),
    "endless text": lambda folder: (folder / "random.jpg").symlink_to("/dev/random"),
    "sparse": lambda folder: _sparse(folder / "sparse.png"),
    "link to itself": lambda folder: (folder / "self.png").symlink_to("self.png"),
    "link to nothing": lambda folder: (folder / "gone.png").symlink_to("nowhere"),
    "links in a circle": lambda folder: [(folder / f"up{n}").symlink_to(folder.resolve()) for n in range(3)],
    "no text": lambda folder: Path(os.fsdecode(os.fsencode(folder) + b"/\xff.png")).write_bytes(plain_image("no text")),
    "folder of no text": lambda folder: Path(os.fsdecode(os.fsencode(folder) + b"/\xe9t\xe9")).mkdir(),
    "twins": lambda folder: [(folder / name).write_bytes(plain_image(name)) for name in ("twin.png", "TWIN.PNG")],
    "copies": lambda folder: [(folder / name).write_bytes(plain_image("copy")) for name in ("copy1.png", "copy2.png")],
    "folder like a file": lambda folder: (folder / "folder.png").mkdir(),
    "others": lambda folder: [(folder / name).mkdir(exist_ok=True) for name in OTHERS],
    "files beside": lambda folder: [(folder / name).write_text("?") for name in ("README.md", "a.csv", "Thumbs.db")],
    "many empty files": _many_empty,
    "many empty folders": lambda folder: [(folder / f"folder-{n}").mkdir() for n in range(500)],
    "deep": _deep,
    "hidden copies": _hidden_copies,
}


def odd_table(path: Path, seed: int) -> None:
    """A Parquet file."""
    rng = np.random.default_rng(seed)
    labels = [0, 0, 1, 1]
    if rng.random() < 0.5:
        labels.append([2, -1, None, "x" * 5000, 10**12, 1.5][rng.integers(6)])
    data: list[bytes | None] = [plain_image(seed, n) if rng.random() < 0.8 else odd_image(rng) for n in range(4)]
    data += data[:1] * (len(labels) - 4)
    if rng.random() < 0.2:
        data[0] = None
    paths = [None, "/dev/zero", "gone.png", "\0", "../" * 3000][rng.integers(5)]
    texts = any(isinstance(label, str) for label in labels)
    kind = pa.string() if texts else None
    column = pa.array([None if label is None else str(label) if texts else label for label in labels], kind)
    cells = pa.array([{"bytes": cell, "path": paths} for cell in data],
                     pa.struct([("bytes", pa.binary()), ("path", pa.string())]))  # fmt: skip
    pq.write_table(pa.table({"image": cells, "label": column}), path)


def odd_shard(path: Path, seed: int) -> None:
    """A tar shard."""
    rng = np.random.default_rng(seed)
    labels = ["0", "goldfish", "9" * 5000, "--5", "²", '{"label": 1}', "[" * 99999, '{"label": ' + "1" * 5000 + "}", ""]
    with tarfile.open(path, "w", encoding="utf-8", errors="surrogateescape") as tar:
        for number in range(5):
            key = f"\udcff{number}" if rng.random() < 0.2 else f"{number}"
            label = labels[rng.integers(len(labels))] if rng.random() < 0.2 else str(number % 2)
            ending = ".json" if label[:1] in tuple("{[") else ".cls"
            data = plain_image(seed, number) if rng.random() < 0.8 else odd_image(rng)
            for name, content in ((key + ".png", data), (key + ending, label.encode())):
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
