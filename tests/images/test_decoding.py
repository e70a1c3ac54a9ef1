"""Users' files: what is read equals torchvision's pipeline; what is not read has a reason."""

import io
import struct
import tracemalloc
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageFile
from torchvision.transforms import CenterCrop, Compose, Resize

from stackwalls.model.images import BrokenImageError, decode_and_crop

reference = Compose([Resize(256), CenterCrop(224)])


def saved(image: Image.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def noise(width: int = 90, height: int = 70, channels: int = 3, seed: int = 0) -> np.ndarray:
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def as_torchvision(data: bytes) -> np.ndarray:
    """ImageFolder's loader and the evaluation transform."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(reference(image.convert("RGB")))


def palette() -> Image.Image:
    return Image.fromarray(noise()).quantize(64)


def transparent(mode: str) -> Image.Image:
    return Image.fromarray(noise(channels=4)).convert(mode)


GOOD: dict[str, Callable[[], bytes]] = {
    "JPEG": lambda: saved(Image.fromarray(noise()), "JPEG"),
    "progressive JPEG": lambda: saved(Image.fromarray(noise()), "JPEG", progressive=True),
    "CMYK JPEG": lambda: saved(Image.fromarray(noise(channels=4), "CMYK"), "JPEG"),
    "grayscale JPEG": lambda: saved(Image.fromarray(noise(channels=1)), "JPEG"),
    "grayscale PNG": lambda: saved(Image.fromarray(noise(channels=1)), "PNG"),
    "1-bit PNG": lambda: saved(Image.fromarray(noise(channels=1)).convert("1"), "PNG"),
    "palette PNG": lambda: saved(palette(), "PNG"),
    "palette PNG with one transparent color": lambda: saved(palette(), "PNG", transparency=3),
    "palette PNG with transparent colors": lambda: saved(palette(), "PNG", transparency=bytes(range(64))),
    "RGBA PNG": lambda: saved(transparent("RGBA"), "PNG"),
    "LA PNG": lambda: saved(transparent("LA"), "PNG"),
    "RGBA WebP": lambda: saved(transparent("RGBA"), "WEBP", lossless=True, exact=True),
    "BMP": lambda: saved(Image.fromarray(noise()), "BMP"),
    "TIFF": lambda: saved(Image.fromarray(noise()), "TIFF", compression="tiff_lzw"),
    "PPM": lambda: saved(Image.fromarray(noise()), "PPM"),
    "GIF": lambda: saved(Image.fromarray(noise()), "GIF"),
    "smallest": lambda: saved(Image.fromarray(noise(32, 32)), "PNG"),
    "longest": lambda: saved(Image.fromarray(noise(3200, 32)), "PNG"),
    "tallest": lambda: saved(Image.fromarray(noise(32, 3200)), "PNG"),
    "16-bit color PNG": lambda: png_16_bit(noise().astype(np.uint16) * 257),
}


def png_16_bit(pixels: np.ndarray) -> bytes:
    """A PNG of `(H, W, 3)` or `(H, W)` uint16, written by hand."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = pixels.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, 16, 2 if pixels.ndim == 3 else 0, 0, 0, 0)
    lines = b"".join(b"\0" + line.astype(">u2").tobytes() for line in pixels)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", GOOD)
@pytest.mark.filterwarnings("ignore:Palette images with Transparency")
def test_equals_torchvisions_pipeline(kind: str) -> None:
    data = GOOD[kind]()
    picture = decode_and_crop(data)
    assert picture.shape == (224, 224, 3)
    assert picture.dtype == np.uint8
    np.testing.assert_array_equal(picture, as_torchvision(data))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_not_applied(orientation: int) -> None:
    image = Image.fromarray(noise())
    exif = Image.Exif()
    exif[0x0112] = orientation
    np.testing.assert_array_equal(
        decode_and_crop(saved(image, "JPEG", exif=exif)), decode_and_crop(saved(image, "JPEG"))
    )


@pytest.mark.parametrize("format", ["GIF", "WEBP", "TIFF"])
def test_of_an_animation_the_first_frame_counts(format: str) -> None:
    first, second = (Image.fromarray(np.full((40, 40, 3), value, np.uint8)) for value in (50, 200))
    options = {"lossless": True} if format == "WEBP" else {}
    data = saved(first, format, save_all=True, append_images=[second], **options)
    with Image.open(io.BytesIO(data)) as image:
        assert image.n_frames == 2
    assert (decode_and_crop(data) == 50).all()


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_16_bit_grayscale_is_scaled_not_clipped(format: str) -> None:
    gray = noise(channels=1)
    deep = gray.astype(np.uint16) * 256 + 77
    data = png_16_bit(deep) if format == "PNG" else saved(Image.fromarray(deep), "TIFF")
    np.testing.assert_array_equal(decode_and_crop(data), as_torchvision(saved(Image.fromarray(gray), "PNG")))


def with_size(width: int, height: int) -> bytes:
    """A PNG whose header claims a size, with hardly any data behind it."""
    data = bytearray(saved(Image.new("L", (40, 40)), "PNG"))
    data[16:24] = struct.pack(">II", width, height)
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    return bytes(data)


photo = saved(Image.fromarray(noise(200, 150)), "JPEG")

BROKEN: dict[str, tuple[bytes, str]] = {
    "zero bytes": (b"", r"the file is empty \(0 bytes\)"),
    "text": (b"<html>404 Not Found</html>", "not an image, or its header is damaged"),
    "half a header": (photo[:10], "damaged: .*runcated"),
    "truncated JPEG": (photo[: len(photo) // 2], "damaged: .*truncated"),
    "truncated PNG": (saved(Image.fromarray(noise()), "PNG")[:2000], "damaged: .*truncated"),
    "truncated WebP": (saved(Image.fromarray(noise()), "WEBP")[:2000], "damaged|not an image"),
    "truncated GIF": (saved(palette(), "GIF")[:2000], "damaged: .*truncated"),
    "PNG with a wrong checksum": (GOOD["RGBA PNG"]()[:-20] + bytes(20), "damaged"),
    "1 x 1": (saved(Image.new("RGB", (1, 1)), "PNG"), "too small: 1 × 1 pixels, expected at least 32 a side"),
    "tiny": (saved(Image.new("RGB", (31, 500)), "PNG"), "too small: 31 × 500"),
    "long": (saved(Image.new("RGB", (3201, 32)), "PNG"), "too long: 3201 × 32, more than 100 times"),
    "tall": (saved(Image.new("RGB", (32, 6000)), "PNG"), "too long: 32 × 6000"),
    "huge": (with_size(10_000, 9_000), "too large: 10000 × 9000 is more than 89,478,485 pixels"),
    "bomb": (with_size(100_000, 90_000), "more than 89,478,485 pixels"),
    "32-bit TIFF": (saved(Image.fromarray(noise(channels=1).astype(np.int32)), "TIFF"), r"32-bit values \(mode I\)"),
    "float TIFF": (saved(Image.fromarray(noise(channels=1).astype(np.float32)), "TIFF"), r"32-bit values \(mode F\)"),
    "EPS, which Pillow would run a program for": (saved(Image.fromarray(noise()), "EPS"), "not an image"),
}


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_what_cannot_be_used_has_a_reason_that_is_the_same_every_time(kind: str) -> None:
    data, reason = BROKEN[kind]
    with pytest.raises(BrokenImageError, match=reason) as first:
        decode_and_crop(data)
    with pytest.raises(BrokenImageError) as second:
        decode_and_crop(bytes(bytearray(data)))
    assert str(first.value) == str(second.value)
    assert "0x" not in str(first.value)  # no memory address
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


def test_every_cut_of_a_jpeg_is_either_refused_or_whole() -> None:
    """No half picture passes: a cut is refused until nothing but the end marker is missing."""
    whole = decode_and_crop(photo)
    for length in range(0, len(photo) - 2, 97):
        with pytest.raises(BrokenImageError):
            decode_and_crop(photo[:length])
    np.testing.assert_array_equal(decode_and_crop(photo + b"trailing bytes"), whole)


@pytest.mark.filterwarnings("ignore:::PIL")
def test_random_damage_never_raises_anything_else() -> None:
    generator = np.random.default_rng(0)
    refused = 0
    for data in (photo, GOOD["palette PNG"](), GOOD["GIF"](), GOOD["TIFF"](), GOOD["RGBA WebP"](), GOOD["BMP"]()):
        for _ in range(60):
            damaged = bytearray(data)
            for place in generator.integers(0, min(len(data), 400), 6):
                damaged[place] = generator.integers(0, 256)
            try:
                assert decode_and_crop(bytes(damaged)).shape == (224, 224, 3)
            except BrokenImageError:
                refused += 1
    assert refused > 100


def test_a_refused_size_costs_no_memory() -> None:
    tracemalloc.start()
    try:
        for size in ((10_000, 8_900), (30_000, 30)):
            with pytest.raises(BrokenImageError):
                decode_and_crop(with_size(*size))
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()
