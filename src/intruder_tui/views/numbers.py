"""Numbers as people read them. A bound never looks like a value, and rounding never tightens a bound."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from intruder_tui.views.glyphs import UNICODE, Glyphs


def cosine(
    lower: float, upper: float, *, decimals: int = 2, eps: float | None = None, glyphs: Glyphs = UNICODE
) -> str:
    """A best cosine: "0.31" for a value, "≤ 0.31" or "0.47–0.52" for an interval, rounded outward.

    With `eps`, a value or an end whose rounding would land on the other side of the threshold, or on it, gets
    as many decimals (up to six) as it takes to be seen on its own side.
    """
    if lower == upper:
        return _value(lower, decimals, eps)
    agreed = f"{lower:.{decimals}f}"
    if agreed == f"{upper:.{decimals}f}" and not _misleads(upper, float(agreed), eps):
        return agreed  # every digit shown is certain
    places = _places(lambda places: _misleads(upper, _raised(upper, places), eps), decimals)
    low = _lowered(lower, places)
    if low <= 0:
        return f"{glyphs.at_most}{ceiling(upper, places)}"
    places = _places(lambda places: _misleads(lower, _lowered(lower, places), eps), places)
    return f"{_lowered(lower, places):.{places}f}{glyphs.to}{ceiling(upper, places)}"


def at_most(lower: float, upper: float, *, eps: float | None = None, glyphs: Glyphs = UNICODE) -> str:
    """The upper end alone, where there is little room: "0.31" for a value, "≤0.32" for an interval."""
    if lower == upper:
        return _value(lower, 2, eps)
    places = _places(lambda places: _misleads(upper, _raised(upper, places), eps), 2)
    return f"{glyphs.at_most.strip()}{ceiling(upper, places)}"


def ceiling(upper: float, decimals: int = 2) -> str:
    """The upper bound of a cosine, never below what it is."""
    return f"{_raised(upper, decimals):.{decimals}f}"


def _value(value: float, decimals: int, eps: float | None) -> str:
    places = _places(lambda places: _misleads(value, round(value, places), eps), decimals)
    return f"{value:.{places}f}"


def _places(misleads: Callable[[int], bool], decimals: int) -> int:
    """The fewest decimals, up to six, that do not mislead."""
    while decimals < 6 and misleads(decimals):
        decimals += 1
    return decimals


def _lowered(value: float, decimals: int) -> float:
    return math.floor(value * 10.0**decimals + 1e-9) / 10.0**decimals


def _raised(value: float, decimals: int) -> float:
    return min(math.ceil(value * 10.0**decimals - 1e-9) / 10.0**decimals, 1.0)


def _misleads(value: float, shown: float, eps: float | None) -> bool:
    """Whether what is shown stands on the other side of eps, or on eps where the value does not."""
    if eps is None or math.isclose(value, eps, rel_tol=0, abs_tol=5e-7):
        return False
    return (value < eps) != (shown < eps) or math.isclose(shown, eps, rel_tol=0, abs_tol=1e-9)


def exponent(values: Sequence[float]) -> int:
    """The shared power of ten of a column: 0 while the largest lies in 0.1..1000."""
    largest = max((abs(v) for v in values if math.isfinite(v)), default=0.0)
    if largest == 0 or 0.1 <= largest < 999.5:
        return 0
    return math.floor(math.log10(largest))


def power(exponent: int, glyphs: Glyphs = UNICODE) -> str:
    """A column head's factor: "", "×10⁻³", "x1e-3"."""
    if exponent == 0:
        return ""
    if glyphs.superscript is None:
        return f"x1e{exponent}"
    raised = "".join(glyphs.superscript["0123456789-".index(c)] for c in str(exponent))
    return f"×10{raised}"


def three_digits(value: float) -> str:
    """Three significant digits without an exponent for 0.001..99999, with one beyond."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    size = math.floor(math.log10(abs(value)))
    if not -4 < size < 5:
        return f"{value:.2e}"
    rounded = round(value, 2 - size)
    size = math.floor(math.log10(abs(rounded)))
    return f"{rounded:.{max(0, 2 - size)}f}"


def column(values: Sequence[float], shared: int) -> list[str]:
    """Three significant digits each over a shared power of ten, padded so that the points stand in a line."""
    texts = [three_digits(value / 10.0**shared) for value in values]
    places = [len(text) - text.index(".") if "." in text else 0 for text in texts]
    most = max(places, default=0)
    return [text + " " * (most - place) for text, place in zip(texts, places, strict=True)]


def percent(share: float) -> str:
    """A share of one in percent, with two significant digits: "1.3 %", "0.14 %", "< 0.01 %"."""
    value = 100 * share
    if 0 < value < 0.01:
        return "< 0.01 %"
    if value == 0 or value >= 9.95:
        return f"{value:.0f} %"
    return f"{value:.1f} %" if value >= 0.95 else f"{value:.2g} %"


def shape(size: Sequence[int], glyphs: Glyphs = UNICODE) -> str:
    """A shape, "out × in"."""
    return f" {glyphs.times} ".join(str(n) for n in size) or "scalar"


def runs(ranks: Sequence[int], glyphs: Glyphs = UNICODE) -> str:
    """Ascending integers, three or more that follow one another as a run: "0–7 9"."""
    parts: list[list[int]] = []
    for rank in ranks:
        if parts and rank == parts[-1][-1] + 1:
            parts[-1].append(rank)
        else:
            parts.append([rank])
    return " ".join(
        f"{part[0]}{glyphs.to}{part[-1]}" if len(part) > 2 else " ".join(map(str, part)) for part in parts
    )


def plural(count: int, noun: str, many: str | None = None) -> str:
    """ "1 intruder", "3 intruders"."""
    return f"{count} {noun if count == 1 else many or noun + 's'}"


def duration(seconds: float) -> str:
    """ "0:41", "12:05", "1:02:03"."""
    whole = max(0, round(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
