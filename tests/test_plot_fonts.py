"""Texts that matplotlib draws: in any script, with the fonts of the machine, and without messages about fonts."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator

import pytest

from cnngraph import plot_fonts
from cnngraph.plot_fonts import quiet_fonts, with_fallbacks
from cnngraph.render import Settings, draw, raster
from tests.render.networks import graph_of

NET = "cnngraph: 1\ninput: [4]\nnodes: [relu]\n"
ONLY_IN_STIX = "\N{SCRIPT SMALL G}"  # a character that matplotlib's default font lacks


@pytest.fixture(autouse=True)
def no_outlines() -> Iterator[None]:
    """Outlines are not those of another test's fonts."""

    def clear() -> None:
        raster._outline.cache_clear()
        raster._families.cache_clear()

    clear()
    yield
    clear()


def test_fonts_that_are_not_installed_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plot_fonts, "FALLBACK_FONTS", ("No Font Of This Name", "STIXGeneral"))
    assert with_fallbacks("DejaVu Sans") == ["DejaVu Sans", "STIXGeneral"]


def test_messages_about_fonts_are_silent_only_inside(caplog: pytest.LogCaptureFixture) -> None:
    messages: list[Callable[[], None]] = [
        lambda: warnings.warn("Glyph 20013 missing from font(s) DejaVu Sans.", UserWarning, stacklevel=1),
        lambda: logging.getLogger("matplotlib.font_manager").warning("Failed to find font weight bold"),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with quiet_fonts():
            for message in messages:
                message()
        assert not caplog.records
        with pytest.raises(UserWarning):
            messages[0]()
        messages[1]()
        assert len(caplog.records) == 1


@pytest.mark.parametrize("format", ["png", "pdf"])
def test_a_title_in_any_script_is_drawn_without_messages(format: str, caplog: pytest.LogCaptureFixture) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert draw(graph_of(NET), format, Settings(title="猫 \N{DOG FACE} $x$"))
    assert not caplog.records


def test_an_installed_font_draws_characters_that_the_default_font_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    for names in ((), ("STIXGeneral",)):
        monkeypatch.setattr(plot_fonts, "FALLBACK_FONTS", names)
        raster._outline.cache_clear()
        raster._families.cache_clear()
        drawn.append([raster._outline(text, 9, False)[0].get_extents().width for text in (ONLY_IN_STIX, "conv")])
    (box, plain), (glyph, same) = drawn
    assert glyph != box
    assert same == plain
