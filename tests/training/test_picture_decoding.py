"""Pictures decoded here, and left to the device that decodes JPEGs itself."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import picture
from PIL import Image

from stackwalls.model.images.decoding import BrokenImageError, decode_tensor, gpu_decodes
from stackwalls.model.training import Recipe
from stackwalls.model.training.batch_order import Place
from stackwalls.model.training.loading import Preparation, Sample, collate, to_device


def encoded(image: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "CMYK", "1"])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_any_picture_becomes_rgb(mode: str, kind: str) -> None:
    if (mode, kind) in {("CMYK", "PNG"), ("P", "JPEG"), ("RGBA", "JPEG")}:
        pytest.skip(f"{kind} holds no {mode}")
    pixels = decode_tensor(encoded(picture(0, 90, (51, 37)).convert(mode), kind))
    assert pixels.shape == (3, 37, 51)
    assert pixels.dtype == torch.uint8


def test_a_png_decodes_to_its_pixels() -> None:
    image = picture(1, 50)
    assert np.array_equal(decode_tensor(encoded(image, "PNG")).permute(1, 2, 0), np.asarray(image))


@pytest.mark.parametrize("data", [b"", b"nothing", encoded(picture(0, 1), "PNG")[:60]])
def test_what_is_no_picture_is_broken(data: bytes) -> None:
    with pytest.raises(BrokenImageError):
        decode_tensor(data)


def test_jpegs_left_to_the_device_come_out_as_those_decoded_here() -> None:
    """On a CPU `decode_jpeg` is the same decoder; on a GPU nvJPEG differs by rounding."""
    recipe, images = Recipe(), [picture(n, 60 + 20 * n, (120, 90)) for n in range(4)]
    pictures = [encoded(image, kind) for image, kind in zip(images, ["JPEG", "PNG", "JPEG", "JPEG"], strict=True)]
    batches = []
    for undecoded in (False, True):
        prepare = Preparation(recipe, 3, 170, 224, undecoded)
        samples = [Sample(prepare(data, Place(0, n, n)), n) for n, data in enumerate(pictures)]
        piece = collate(samples)
        assert len(piece.jpegs) == (3 if undecoded else 0)
        batches.append(to_device(piece, (170, 224), torch.device("cpu")))
    assert torch.equal(batches[0][0], batches[1][0])
    assert batches[1][0].shape == (4, 3, 170, 224)
    assert batches[1][1].tolist() == [0, 1, 2, 3]


def test_a_cpu_has_no_nvjpeg() -> None:
    assert not gpu_decodes(torch.device("cpu"))


@pytest.mark.gpu
def test_nvjpeg_decodes_nearly_as_here() -> None:
    device = torch.device("cuda")
    if not gpu_decodes(device):
        pytest.skip("torchvision was built without nvJPEG")
    smooth = Image.fromarray(np.linspace(0, 255, 90 * 120 * 3).reshape(90, 120, 3).astype(np.uint8))
    data = encoded(smooth, "JPEG")
    found = []
    for undecoded in (False, True):
        piece = collate([Sample(Preparation(Recipe(), 0, 224, 224, undecoded)(data, Place(0, 0, 0)), 0)])
        found.append(to_device(piece, (224, 224), device)[0].float().cpu())
    assert float((found[0] - found[1]).abs().mean()) < 3


@pytest.mark.real_images
def test_photographs(real_images: Path) -> None:
    for path in sorted(real_images.glob("*/*"))[:20]:
        data = path.read_bytes()
        with Image.open(io.BytesIO(data)) as image:
            expected = np.asarray(image.convert("RGB")).astype(int)
        # two JPEG libraries: their colors differ by rounding
        assert np.abs(decode_tensor(data).permute(1, 2, 0).numpy().astype(int) - expected).mean() < 1
