"""A view as a picture: SVG, HTML and text by rich's recorder, PNG by resvg where it is installed."""

from __future__ import annotations

import html
import io
import json
from collections.abc import Mapping
from typing import Any

from rich.console import Console, RenderableType
from rich.terminal_theme import SVG_EXPORT_THEME

from intruder_tui.checkpoint.names import printable
from intruder_tui.export.snapshot import offline_svg

MONOSPACE = "DejaVu Sans Mono"
"""The font of pictures made of characters: half blocks meet in it without seams."""
PROPORTIONAL = "DejaVu Sans"
FALLBACK = f"'{MONOSPACE}', Menlo, Consolas, 'Liberation Mono', monospace"
CSS_DPI = 96.0
"""What a point is measured against in a browser; resvg knows no points without it."""
ZOOM = 2.0
"""Pixels of a PNG per unit of its SVG."""

_RICH_FONT = "font-family: Fira Code, monospace"


class PictureError(Exception):
    """A picture can't be made; one line."""


def pictures(
    view: RenderableType,
    *,
    width: int,
    plain: RenderableType | None = None,
    title: str = "",
    document: Mapping[str, Any] | None = None,
) -> dict[str, str]:
    """A renderable as {"svg", "html", "txt"}, `width` columns wide, in 24-bit colour.

    The text is that of `plain` where it is given: a view that says with colours what text can't hold is drawn
    without them for it.

    `document` (JSON-able, without NaN) is kept inside the SVG and the HTML. The terminal in front, NO_COLOR
    and the size of the window make no difference.
    """
    console = _recorder(width)
    console.print(view)
    shown = printable(title, 200)
    svg = console.export_svg(title=shown, theme=SVG_EXPORT_THEME, clear=False)
    page = console.export_html(theme=SVG_EXPORT_THEME, inline_styles=True, clear=False)
    if plain is not None:
        console = _recorder(width)
        console.print(plain)
    text = console.export_text()
    data = None if document is None else json.dumps(document, indent=1, allow_nan=False)
    return {
        "svg": _with_metadata(offline_svg(svg).replace(_RICH_FONT, f"font-family: {FALLBACK}"), data),
        "html": _page(page, shown, data),
        "txt": "\n".join(line.rstrip() for line in text.splitlines()) + "\n",
    }


def png(svg: str, *, zoom: float = ZOOM) -> bytes:
    """An SVG of ours as PNG.

    Raises:
        PictureError: resvg-py is not installed, or does not take the picture.
    """
    try:
        import resvg_py
    except ImportError:
        raise PictureError("PNG needs resvg-py: pip install 'intruder-tui[png]'") from None
    try:
        return resvg_py.svg_to_bytes(
            svg_string=svg,
            zoom=zoom,
            dpi=CSS_DPI,
            font_family=PROPORTIONAL,
            sans_serif_family=PROPORTIONAL,
            monospace_family=MONOSPACE,
        )
    except ValueError as error:
        raise PictureError(f"PNG: resvg does not take the picture: {error}") from None


def _recorder(width: int) -> Console:
    """A console of 24-bit colour that is on no terminal."""
    return Console(
        record=True,
        file=io.StringIO(),
        width=width,
        force_terminal=True,
        color_system="truecolor",
        no_color=False,
        legacy_windows=False,
        emoji=False,
        markup=False,
        highlight=False,
        _environ={},
    )


def _with_metadata(svg: str, data: str | None) -> str:
    if data is None:
        return svg
    end = svg.index(">") + 1
    return f"{svg[:end]}<metadata>{html.escape(data, quote=False)}</metadata>{svg[end:]}"


def _page(page: str, title: str, data: str | None) -> str:
    head = f"<title>{html.escape(title)}</title>"
    if data is not None:
        # "<" would let a name in the data end the script.
        kept = data.replace("<", "\\u003c")
        head += f'\n<script type="application/json" id="intruder-tui">{kept}</script>'
    return page.replace("<head>", f"<head>\n{head}", 1).replace("Fira Code", MONOSPACE, 1)
