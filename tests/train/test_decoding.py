"""Decoding image files: damage is reported or harmless, and decoding is bounded."""

from __future__ import annotations

import io
import os
import random
import warnings
import zlib
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cnngraph import SpecError
from cnngraph.recipe.data import ImageFolder
from cnngraph.tensor_type import TensorType
from cnngraph.train.data import decoding, loading
from cnngraph.train.data.decoding import ImageError, load_upright
from cnngraph.train.data.images import OnDisk, decode
from cnngraph.train.data.load_splits import load_splits
from tests.train.support import CPU, RECIPE

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning"),  # from Pillow; pytest resets the filters for each test
    pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning"),
]
FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "GIF", "BMP", "AVIF", "JPEG2000", "PPM", "TGA", "ICO", "PCX", "SGI", "DDS")


def noise(height: int = 10, width: int = 12) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8))


def encoded(kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    noise().save(stream, kind, **options)
    return stream.getvalue()


def chunk(kind: bytes, body: bytes, damage: int = 0) -> bytes:
    check = zlib.crc32(kind + body) ^ damage
    return len(body).to_bytes(4, "big") + kind + body + check.to_bytes(4, "big")


def png(width: int, height: int) -> bytes:
    """The header of a grey PNG of any size, in a few bytes."""
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 0, 0, 0, 0])
    return decoding.PNG + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


# Damage.


@pytest.mark.parametrize("kind", FORMATS)
def test_a_damaged_file_is_decoded_or_a_broken_image(tmp_path: Path, kind: str) -> None:
    whole, rng, file = encoded(kind), random.Random(kind), tmp_path / "file.png"
    torn = [whole[: len(whole) * part // 10] for part in range(10)]
    flipped = []
    for _ in range(40):
        changed = bytearray(whole)
        for _ in range(rng.choice((1, 3, 10))):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        flipped.append(bytes(changed))
    read = 0
    for content in [whole, *torn, *flipped]:
        file.write_bytes(content)
        try:
            read += decode(file, (3, 8, 8)).shape == (8, 8, 3)
        except ImageError as error:
            assert str(error).startswith(f"cannot read the image {file}: ")  # noqa: PT017
            assert "\n" not in str(error)  # noqa: PT017
    assert read >= 1


def test_any_exception_of_pillow_is_a_broken_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_bytes(encoded("PNG"))
    for error in (
        SyntaxError("broken"),
        KeyError(7),
        RecursionError(),
        MemoryError(),
        AttributeError("x"),
        Exception(),
    ):

        def fail(*args: object, error: Exception = error, **options: object) -> None:
            raise error

        monkeypatch.setattr(Image.Image, "convert", fail)
        with pytest.raises(ImageError, match=r"^cannot read the image .*a\.png: \S"):
            load_upright(tmp_path / "a.png", "RGB")


def test_a_truncated_file_is_skipped_or_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ant", "bee"):
        (tmp_path / name).mkdir()
        for number in range(4):
            noise(40, 40).save(tmp_path / name / f"{number}.png")
    torn = tmp_path / "bee" / "1.png"
    torn.write_bytes(torn.read_bytes()[:900])
    recipe = replace(RECIPE, data=ImageFolder(broken="skip"), validation=0.25, workers=1)
    wanted = TensorType.map(3, 8, 8)
    splits = load_splits(recipe, wanted, tmp_path, lambda note: None)
    assert splits.broken == [str(torn)]
    assert len(splits.train) + len(splits.validation or ()) == 7
    stopping = replace(recipe, data=ImageFolder(), workers=0)
    with pytest.raises(SpecError, match=r"cannot read the image .*1\.png: "):
        load_splits(stopping, wanted, tmp_path, lambda note: None)
    monkeypatch.setattr(loading, "MAX_IN_MEMORY", 0)
    for chosen, broken in ((recipe, [str(torn)]), (stopping, None)):
        images = load_splits(chosen, wanted, tmp_path, lambda note: None).train.images
        assert isinstance(images, OnDisk)
        if broken is None:
            with pytest.raises(SpecError, match=r"cannot read the image .*1\.png: "):
                list(images.batches([(torch.arange(8), None)], CPU))
        else:
            ((pixels, _),) = images.batches([(torch.arange(8), None)], CPU)
            assert (len(pixels), images.broken) == (7, broken)


def exif_of(orientation: object = 6) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F], exif[0x011A], exif[0x011B] = "maker", 300.0, 300.0
    exif.get_ifd(0x8769)[0x829A] = 0.01
    exif.get_ifd(0x8825)[2] = (1.0, 2.0, 3.0)
    return exif


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_damaged_exif_data_is_ignored(tmp_path: Path, kind: str) -> None:
    file, rng, good = tmp_path / "a.jpg", random.Random(0), exif_of().tobytes()
    file.write_bytes(encoded(kind, exif=good))
    assert load_upright(file, "RGB").size == (10, 12)
    for _ in range(60):
        damaged = bytearray(good)
        for _ in range(rng.choice((1, 4, 20))):
            damaged[rng.randrange(6, len(damaged))] = rng.randrange(256)
        del damaged[rng.choice((len(damaged), rng.randrange(7, len(damaged)))) :]
        file.write_bytes(encoded(kind, exif=bytes(damaged)))
        assert load_upright(file, "RGB").size in {(10, 12), (12, 10)}


@pytest.mark.parametrize(
    "changed",  # its type, count and value
    [b"\3\0\0\0\1\0\0", b"\3\0\0\0\1\0\x09", b"\2\0\0\0\1\x36\0"],
    ids=["0", "9", "text"],
)
def test_an_invalid_orientation_is_ignored(tmp_path: Path, changed: bytes) -> None:
    exif = exif_of().tobytes()
    assert b"\x01\x12\0\3\0\0\0\1\0\6" in exif
    exif = exif.replace(b"\x01\x12\0\3\0\0\0\1\0\6", b"\x01\x12\0" + changed)
    (tmp_path / "a.jpg").write_bytes(encoded("JPEG", exif=exif))
    assert load_upright(tmp_path / "a.jpg", "RGB").size == (12, 10)


def test_invalid_exif_offsets_of_a_tiff_are_ignored(tmp_path: Path) -> None:
    whole = encoded("TIFF", exif=exif_of(1))
    place = whole.index(b"\x0f\x01\x02\x00")  # the tag of the camera maker becomes an offset to more data
    for there in (b"\xff\xff\xff\xff", b"\x01\x00\x00\x00"):
        entry = b"\x69\x87\x04\x00\x01\x00\x00\x00" + there
        (tmp_path / "a.tif").write_bytes(whole[:place] + entry + whole[place + len(entry) :])
        assert load_upright(tmp_path / "a.tif", "RGB").size == (12, 10)
    assert np.array_equal(np.asarray(load_upright(tmp_path / "a.tif", "RGB")), np.asarray(noise()))


def test_damaged_metadata_chunks_of_a_png_are_ignored(tmp_path: Path) -> None:
    whole = encoded("PNG")
    for kind in (b"eXIf", b"tEXt", b"zTXt", b"iCCP", b"tIME", b"gAMA"):
        (tmp_path / "a.png").write_bytes(whole[:33] + chunk(kind, b"damaged", damage=1) + whole[33:])
        assert np.array_equal(np.asarray(load_upright(tmp_path / "a.png", "RGB")), np.asarray(noise()))


@pytest.mark.parametrize(("orientation", "corner"), [(1, 0), (2, 1), (3, 3), (4, 2), (5, 0), (6, 1), (7, 3), (8, 2)])
def test_every_exif_orientation_is_applied(tmp_path: Path, orientation: int, corner: int) -> None:
    lying = Image.new("L", (8, 8))
    lying.paste(255, (0, 0, 4, 4))
    exif = Image.Exif()
    exif[0x0112] = orientation
    for ending in ("png", "tif"):
        lying.save(tmp_path / f"a.{ending}", exif=exif)
        image = np.asarray(load_upright(tmp_path / f"a.{ending}", "L"))
        assert [image[y, x] > 0 for y in (1, 6) for x in (1, 6)] == [place == corner for place in range(4)]


# Limits.


@pytest.mark.parametrize(("width", "height"), [(13_000, 13_100), (9_000, 9_000), (2**31 - 1, 2**31 - 1), (1, 2**27)])
def test_an_image_of_too_many_pixels_is_not_decoded(tmp_path: Path, width: int, height: int) -> None:
    (tmp_path / "a.png").write_bytes(png(width, height))
    with pytest.raises(ImageError, match="it has too many pixels"):
        decode(tmp_path / "a.png", (1, 8, 8))


def test_a_large_jpeg_is_decoded_at_a_fraction_of_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = Image.fromarray(np.arange(256, dtype=np.uint8).repeat(4)[None].repeat(64, 0))
    image.save(tmp_path / "a.jpg", quality=95)
    whole = decode(tmp_path / "a.jpg", (1, 4, 64)).int()
    monkeypatch.setattr(decoding, "LARGE", 1024 * 64 // 4)
    assert load_upright(tmp_path / "a.jpg", "L").size == (512, 32)
    monkeypatch.setattr(decoding, "LARGE", 4)
    assert load_upright(tmp_path / "a.jpg", "L").size == (128, 8)
    assert int((decode(tmp_path / "a.jpg", (1, 4, 64)).int() - whole).abs().max()) <= 3


def test_pipes_and_devices_are_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    for file in (tmp_path / "pipe.png", Path("/dev/zero"), Path("/dev/null")):
        with pytest.raises(ImageError, match="it is a pipe or device, not a regular file"):
            load_upright(file, "RGB")
    with pytest.raises(ImageError, match=r"none\.png: No such file or directory$"):
        load_upright(tmp_path / "none.png", "RGB")
    (tmp_path / "empty.png").touch()
    with pytest.raises(ImageError, match="it is empty or not in a known image format"):
        load_upright(tmp_path / "empty.png", "RGB")


def test_output_of_pillow_is_suppressed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    palette = noise().convert("P")
    palette.save(tmp_path / "palette.png", transparency=bytes(range(256)))
    (tmp_path / "large.png").write_bytes(png(10_000, 10_000))
    (tmp_path / "exif.jpg").write_bytes(encoded("JPEG", exif=exif_of().tobytes()[:40]))
    (tmp_path / "tags.tif").write_bytes(encoded("TIFF").replace(b"\x15\x01\x03\x00", b"\x15\x01\x04\x00"))
    with warnings.catch_warnings(record=True) as caught_warnings:
        warnings.simplefilter("always")
        decoding.silence_pillow()
        for file in tmp_path.iterdir():
            with suppress(ImageError):
                load_upright(file, "RGB")
    assert (caught_warnings, capfd.readouterr()) == ([], ("", ""))


# Pixels.


@pytest.mark.parametrize(
    ("kind", "ending", "values", "read"),
    [
        (np.int32, "tif", [0, 7, 200, 255], [0, 7, 200, 255]),
        (np.int32, "tif", [0, 256, 4095, 65535], [0, 1, 15, 255]),
        (np.uint16, "png", [0, 7, 200, 255], [0, 7, 200, 255]),
        (np.uint16, "tif", [0, 7, 200, 255], [0, 7, 200, 255]),
        (np.uint16, "png", [0, 16, 2048, 4095], [0, 1, 128, 255]),
        (np.uint16, "tif", [0, 16, 2048, 4095], [0, 1, 128, 255]),
        (np.uint16, "png", [0, 256, 4096, 65535], [0, 1, 16, 255]),
        (np.uint16, "pgm", [0, 256, 4096, 65535], [0, 1, 16, 255]),
        (np.int32, "tif", [0, 0, 0, 65536], "its values do not fit in 16 bits: 0 to 65,536"),
        (np.int32, "tif", [-1, 0, 0, 255], "its values do not fit in 16 bits: -1 to 255"),
    ],
)
def test_integers_of_many_bits_are_scaled(
    tmp_path: Path, kind: type[np.generic], ending: str, values: list[int], read: list[int] | str
) -> None:
    file = tmp_path / f"a.{ending}"
    Image.fromarray(np.array(values, dtype=kind).reshape(2, 2)).save(file)
    if isinstance(read, str):
        with pytest.raises(ImageError) as caught:
            decode(file, (1, 2, 2))
        assert str(caught.value) == f"cannot read the image {file}: {read}"
    else:
        assert decode(file, (1, 2, 2)).flatten().tolist() == read
        assert decode(file, (3, 2, 2))[..., 1].flatten().tolist() == read


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F"])
def test_every_mode_is_converted_to_three_channels_or_one(tmp_path: Path, mode: str) -> None:
    source = noise().convert("L") if mode in {"I;16", "I", "F"} else noise()
    source.convert(mode).save(tmp_path / "a.tif")
    for channels in (1, 3):
        pixels = decode(tmp_path / "a.tif", (channels, 10, 12))
        assert pixels.shape == (10, 12, channels)
        assert pixels.float().std() > 30


def test_16_bit_images_with_different_scales_get_a_warning(tmp_path: Path) -> None:
    for name in ("ant", "bee"):
        (tmp_path / name).mkdir()
        for number in range(4):
            values = np.random.default_rng(number).integers(0, 4096, (8, 8)).astype(np.uint16)
            Image.fromarray(values).save(tmp_path / name / f"{number}.png")
    recipe, notes = replace(RECIPE, data=ImageFolder(), validation=0.25), list[str]()
    load_splits(recipe, TensorType.map(1, 8, 8), tmp_path, notes.append)
    assert notes == []
    Image.fromarray(values * 16).save(tmp_path / "bee" / "3.png")
    load_splits(recipe, TensorType.map(1, 8, 8), tmp_path, notes.append)
    (note,) = notes
    assert note.startswith("warning[W620]: the bit depths of grey integer images differ: ")
    assert "7 with 12 bits, 1 with 16 bits" in note
