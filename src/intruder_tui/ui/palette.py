"""The command palette: every action there is a key for, and every matrix by its name."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, cast

from rich.text import Text
from textual.await_complete import AwaitComplete
from textual.command import CommandList, CommandPalette, DiscoveryHit, Hit, Hits, Provider
from textual.keys import format_key
from textual.worker import Worker

from intruder_tui.checkpoint.names import printable
from intruder_tui.ui.keys import HINTS
from intruder_tui.ui.ranking import Order
from intruder_tui.views.palette import COLOURMAPS

if TYPE_CHECKING:
    from intruder_tui.ui.app import IntruderApp
    from intruder_tui.ui.screens.main import MainScreen

MOST = 60
"""Matrices that are offered at once."""
CHUNK = 1000
"""Names looked at between two chances for a key to be heard."""
OWN = frozenset({"commands", "back"})
"""Keys that are of no use in the palette itself."""

MOVES = re.compile("up|down|left|right|first|last|next|previous|open|close|pan-.*")
"""Ends of the ids of a widget's own keys that only move something."""
NEEDED = [one for ids, _ in HINTS for one in ids]


def use(name: str) -> int:
    """How far down an action of that binding's id stands: the smaller, the sooner it is wanted."""
    if name in NEEDED:
        return NEEDED.index(name)
    moves = MOVES.fullmatch(name.rpartition(".")[2]) and "." in name
    return len(NEEDED) + (1 if moves else 0)


class Palette(CommandPalette):
    """Textual's, but closed once and for all: keys that are still under way find nothing to do."""

    def dismiss(self, result: None = None) -> AwaitComplete:
        """Close it, unless that has happened."""
        if self.is_current:
            return super().dismiss(result)
        return AwaitComplete()

    # Textual's never returns None; here there may be nothing to start, and nobody reads what it returns.
    def _gather_commands(self, search_value: str) -> Worker[None] | None:  # type: ignore[override]
        return super()._gather_commands(search_value) if self.is_current else None

    def _action_command_list(self, action: str) -> None:
        # A list without a line to show knows no lines, and Textual's would fail to move by a page of them.
        if self.query_one(CommandList).scrollable_content_region:
            super()._action_command_list(action)


class Actions(Provider):
    """What keys do where the palette was opened, with the keys as they are bound now."""

    async def discover(self) -> Hits:
        """All of them."""
        for words, run in self._actions():
            yield DiscoveryHit(Text(words), run, text=words)

    async def search(self, query: str) -> Hits:
        """Those whose description matches."""
        matcher = self.matcher(query)
        for words, run in self._actions():
            score = matcher.match(words)
            if score > 0:
                # Above every matrix: a description that matches was meant.
                yield Hit(1 + score, Text(words), run, text=words)

    def _actions(self) -> Iterator[tuple[str, Callable[[], object]]]:
        """By use: what the footer would name first, then the other actions, moves of a cursor last."""
        seen = set()
        bound = [one for one in self.screen.active_bindings.values() if one.binding.id]
        for active in sorted(bound, key=lambda one: use(one.binding.id or "")):
            binding = active.binding
            if not binding.id or not binding.description or binding.id in OWN or binding.id in seen:
                continue
            seen.add(binding.id)
            key = self._main._look.written(binding.key_display or format_key(binding.key))
            run = partial(self.app.run_action, binding.action, active.node)
            yield f"{binding.description} ({key})", run
        for order in Order:
            yield order.wording, partial(self._main.take_order, order)

    @property
    def _main(self) -> MainScreen:
        return cast("MainScreen", self.screen)


class Choices(Provider):
    """Names of which one is in force; to take another puts that in force."""

    def _choices(self) -> tuple[Sequence[str], str, Callable[[str], None]]:
        """All names, the one in force, and what puts another there."""
        raise NotImplementedError

    async def discover(self) -> Hits:
        """All of them, the one in force marked."""
        names, now, choose = self._choices()
        for name in names:
            words = f"{name} (now)" if name == now else name
            yield DiscoveryHit(Text(words), partial(choose, name), text=words)

    async def search(self, query: str) -> Hits:
        """Those that match."""
        names, _, choose = self._choices()
        matcher = self.matcher(query)
        for name in names:
            if (score := matcher.match(name)) > 0:
                yield Hit(score, Text(name), partial(choose, name), text=name)

    @property
    def _app(self) -> IntruderApp:
        return cast("IntruderApp", self.app)


class Themes(Choices):
    """Every theme there is."""

    def _choices(self) -> tuple[Sequence[str], str, Callable[[str], None]]:
        return sorted(self._app.available_themes), self._app.theme, self._app.choose_theme


class ColourMaps(Choices):
    """Every colour map there is."""

    def _choices(self) -> tuple[Sequence[str], str, Callable[[str], None]]:
        return COLOURMAPS, self._app.colourmap, self._app.choose_colourmap


class Matrices(Provider):
    """Rows of the session in front, by words or by letters of their names."""

    async def startup(self) -> None:
        """Read the names once per opening."""
        self._names = [row.name for row in self._main.session.pairing.rows]

    @property
    def _main(self) -> MainScreen:
        return cast("MainScreen", self.screen)

    async def search(self, query: str) -> Hits:
        """The best matches: names with every word, then names with all letters in order."""
        place = 0
        async for name in matching(self._names, query):
            place += 1
            words = f"Go to {printable(name, 200)}"
            yield Hit(1 / (1 + place), Text(words), partial(self._main.go_to, name), text=words)


async def matching(names: list[str], query: str, most: int = MOST) -> AsyncIterator[str]:
    """Up to `most` names that match, the closest first.

    Words are looked for anywhere in a name, in any order and case; where too few names hold them all, the
    letters must come in order, and names that have them close together go first.
    """
    words = query.lower().split()
    if not words:
        return
    letters = re.compile(".*?".join(re.escape(letter) for letter in "".join(words)), re.IGNORECASE)
    whole: list[str] = []
    spread: list[tuple[int, str]] = []
    for at, name in enumerate(names):
        if at % CHUNK == CHUNK - 1:
            await asyncio.sleep(0)
        lowered = name.lower()
        if all(word in lowered for word in words):
            whole.append(name)
            if len(whole) == most:
                break
        elif len(whole) + len(spread) < 10 * most and (found := letters.search(name)):
            spread.append((found.end() - found.start(), name))
    spread.sort(key=lambda one: one[0])
    for name in [*whole, *(name for _, name in spread)][:most]:
        yield name
