"""The app's own theme: greys, one accent for intruders, one for the cursor; and our variables in the others.

Every colour lies in the xterm palette, so that 256-colour terminals show what 24-bit ones do.
"""

from __future__ import annotations

from textual.theme import Theme

NAME = "intruder"


def defaults(theme: Theme) -> dict[str, str]:
    """Values of our own variables in a theme that does not set them."""
    if theme.ansi:
        quiet, line, blurred = "ansi_bright_black", "ansi_blue", "ansi_black"
    elif theme.dark:
        quiet, line, blurred = "#8a8a8a", "#005f87", "#444444"
    else:
        quiet, line, blurred = "#6c6c6c", "#afd7ff", "#d0d0d0"
    return {"quiet": quiet, "cursor-line": line, "cursor-line-blurred": blurred}


INTRUDER = Theme(
    name=NAME,
    primary="#87d7ff",
    secondary="#87d7ff",
    accent="#ff875f",
    warning="#ff5f5f",
    error="#ff5f5f",
    success="#87d7ff",
    foreground="#d0d0d0",
    background="#121212",
    surface="#1c1c1c",
    panel="#262626",
    dark=True,
    variables={
        "quiet": "#8a8a8a",
        "cursor-line": "#005f87",
        "cursor-line-blurred": "#303030",
        "scrollbar": "#3a3a3a",
        "scrollbar-hover": "#585858",
        "scrollbar-active": "#87d7ff",
        "scrollbar-background": "#121212",
        "scrollbar-background-hover": "#121212",
        "scrollbar-background-active": "#121212",
        "scrollbar-corner-color": "#121212",
    },
)
