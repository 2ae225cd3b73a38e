"""The app: wires sessions, engine and screens together."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from rich.console import RenderableType
from textual import events, on
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.app import App
from textual.binding import Binding, BindingType
from textual.command import Provider
from textual.filter import LineFilter
from textual.notifications import Notify
from textual.screen import Screen
from textual.theme import Theme
from textual.worker import Worker, WorkerState

from intruder_tui.engine.protocol import Engine, Event
from intruder_tui.engine.session import Session
from intruder_tui.ui import theme
from intruder_tui.ui.frame import Frame, Written
from intruder_tui.ui.ground import Ground
from intruder_tui.ui.keymap import checked, places
from intruder_tui.ui.keys import every_key
from intruder_tui.ui.look import look
from intruder_tui.ui.messages import EngineEvent
from intruder_tui.ui.options import UiOptions
from intruder_tui.ui.palette import Actions, ColourMaps, Matrices, Palette, Themes
from intruder_tui.ui.plain import PlainSigns
from intruder_tui.ui.preferences import first_colourmap, first_theme, remember
from intruder_tui.ui.relay import Relay
from intruder_tui.ui.rescue import ask_first, guard_terminal, resumable
from intruder_tui.ui.screens.help import HelpScreen
from intruder_tui.ui.screens.log import LogScreen
from intruder_tui.ui.screens.main import MainScreen
from intruder_tui.ui.trouble import last_words, tell_unsaved, tell_unused


class IntruderApp(App[None]):
    """Opens `sessions` (one for each tuned checkpoint, all over `engine`)."""

    TITLE = "intruder-tui"
    CSS_PATH = "intruder.tcss"
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {Actions, Matrices}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "Quit", id="quit"),
        Binding("ctrl+c", "quit", "Quit", show=False, priority=True, id="interrupt"),
        Binding("ctrl+z", "suspend_process", "To the shell; fg comes back", show=False, id="suspend"),
        Binding("ctrl+l", "redraw", "Draw the whole screen anew", show=False, id="redraw"),
        Binding("question_mark", "help", "Help", key_display="?", id="help"),
        Binding("L", "log", "Where the log is", id="log"),
        Binding("s", "snapshot", "Save the view, its data and a figure", id="snapshot"),
        Binding("S", "snapshot(True)", "Save the whole screen and the data", id="snapshot-screen"),
        Binding("t", "themes", "Change the colour theme", show=False, id="themes"),
        Binding("T", "colourmaps", "Change the colours of values", show=False, id="colourmaps"),
        Binding(
            "colon,ctrl+p", "command_palette", "Find an action or a matrix", key_display=":", id="commands"
        ),
    ]

    def __init__(self, sessions: list[Session], engine: Engine, options: UiOptions) -> None:
        super().__init__()
        self.animation_level = "none"
        self.register_theme(theme.INTRUDER)
        self._sessions = sessions
        self._engine = engine
        self._options = options
        self.set_class(options.ascii, "-ascii")
        self._relay = Relay()
        self._frame = Frame()
        self._started = False
        self._hand_signals_back: Callable[[], None] = lambda: None
        self._troubles = list(options.config.troubles)
        self._ground: tuple[Theme, Ground] | None = None
        self._look = look(options, self.console.color_system, no_color=self.no_color)
        self._look.colourmap = first_colourmap(options, self._troubles)
        self.theme = first_theme(options, self.available_themes, self._troubles)
        keys, unusable = checked(options.config.keys, places(type(self))) if options.config.keys else ({}, [])
        self._troubles += unusable
        self.set_keymap(keys)

    def set_keymap(self, keymap: Mapping[str, str]) -> None:
        """Take other keys, by the ids of bindings; words name them from then on."""
        super().set_keymap(keymap)
        self._look.keys.update(every_key(places(type(self)), keymap))
        if self.is_running:
            self.main.name_keys()

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Our own variables, for themes that do not know them."""
        return theme.defaults(self.current_theme)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Textual's, and ours for the ground of the theme in force."""
        now = self.current_theme
        if self._ground is None or self._ground[0] is not now:
            self._ground = (now, Ground(now, self._look))
        ours: list[LineFilter] = [self._ground[1]] if self._ground[1].enabled else []
        if self._options.ascii:
            ours.append(PlainSigns())
        return [*ours, *super().get_line_filters()]

    def choose_theme(self, name: str) -> None:
        """Take a theme and remember it."""
        self.theme = name
        remember(self, self._options, "theme", name)

    @property
    def colourmap(self) -> str:
        """The colour map in force, one of `palette.COLOURMAPS`."""
        return self._look.colourmap

    def choose_colourmap(self, name: str) -> None:
        """Draw values in the colours of a map, and remember it."""
        self._look.colourmap = name
        self.main.repaint()
        if not (self._look.mode.ramp and self._look.glyphs.half):
            self.notify("Signs stand for values here; it shows with 256 colours or more.", markup=False)
        remember(self, self._options, "colourmap", name)

    def get_default_screen(self) -> MainScreen:
        """The main screen."""
        log = self._engine.log_path
        return MainScreen(self._sessions, self._options, self._look, str(log) if log else "")

    @property
    def main(self) -> MainScreen:
        """The main screen, whatever lies over it."""
        screen = self.screen_stack[0]
        assert isinstance(screen, MainScreen)
        return screen

    def start_engine(self) -> None:
        """Start the engine once; its events wait until the app runs."""
        if not self._started:
            self._started = True
            self._engine.start(self._relay)

    def on_mount(self) -> None:
        """Listen to the engine, and leave the terminal clean when told to end."""
        self.start_engine()
        # The main screen's widgets stand after the first refresh; until then events wait.
        self.call_after_refresh(self._relay.attach, self._deliver)
        self.call_after_refresh(self._collect_garbage)
        tell_unused(self, self._engine.log_path, self._troubles, self._look.keys["log"])
        self.app_resume_signal.subscribe(self, lambda _: self.call_later(self._repaint))
        self._hand_signals_back = ask_first(self._end)

    def _collect_garbage(self) -> None:
        """From now on; what has been loaded stays, and looking through it would hold up a key."""
        if not gc.isenabled():
            gc.freeze()
            gc.enable()

    def on_unmount(self) -> None:
        """What handled signals before handles them again."""
        self._hand_signals_back()

    def _deliver(self, event: Event) -> None:
        self.post_message(EngineEvent(event))

    def on_engine_event(self, message: EngineEvent) -> None:
        """Hand an event to the main screen, unless it is being taken down."""
        if self.main.is_attached:
            self.main.take(message.event)

    def on_notify(self, event: Notify) -> None:
        """The same words said again take the place of those still shown."""
        new = event.notification
        for one in list(self._notifications):  # Textual has no public way to drop a single one
            if (one.title, one.message) == (new.title, new.message):
                self._unnotify(one, refresh=False)

    def _end(self, code: int) -> None:
        self._engine.close()
        self.exit(return_code=code)

    def _fatal_error(self) -> None:
        """Textual would print the trace on the screen; it goes into the log, and a line tells where."""
        error = sys.exc_info()[1] or self._exception
        if error is None:
            return
        words = last_words(self._engine.log_path, error)
        if error is self._exception:  # what fails while it is taken down is in the log only
            self.panic(words)
        else:
            self._close_messages_no_wait()

    @on(Worker.StateChanged)
    def _background_work_failed(self, event: Worker.StateChanged) -> None:
        """What a thread of ours could not do is said, and its trace logged."""
        if event.state is WorkerState.ERROR and isinstance(error := event.worker.error, Exception):
            tell_unsaved(self, self._engine.log_path, error, self._look.keys["log"])

    async def action_quit(self) -> None:
        """End at once, whatever is being computed."""
        self._end(0)

    def action_suspend_process(self) -> None:
        """Stop, where there is a shell that can take the program up again."""
        if resumable():
            super().action_suspend_process()
        else:
            self.notify("There is no shell here that could take the program up again.", markup=False)

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        """Write what changed; Textual has no public place between its screen and the terminal."""
        if isinstance(renderable, ChopsUpdate | LayoutUpdate):
            renderable = Written(self._frame, renderable)
        super()._display(screen, renderable)

    def on_resize(self, event: events.Resize) -> None:
        """A terminal moves what stands on it when its size changes."""
        self._frame.forget()

    def action_redraw(self) -> None:
        """Draw every cell: something else has written on the terminal."""
        self._repaint()

    def _repaint(self) -> None:
        """The terminal has been somebody else's: nothing of what stood on it is left."""
        self._frame.forget()
        for screen in self.screen_stack:
            screen.refresh()

    def action_help(self) -> None:
        """Explain the numbers and the keys."""
        main = self.main
        self.push_screen(HelpScreen(self._look, main.definition, main.view, self._options.config.path))

    def action_log(self) -> None:
        """Show where the log is, and its end."""
        self.push_screen(LogScreen(self._look, self._engine.log_path, self._sessions))

    def action_themes(self) -> None:
        """Ask for a theme."""
        if self.screen is self.main:
            self.push_screen(Palette(providers=[Themes], placeholder="a theme", id="--command-palette"))

    def action_colourmaps(self) -> None:
        """Ask for a colour map."""
        if self.screen is self.main:
            self.push_screen(
                Palette(providers=[ColourMaps], placeholder="a colour map", id="--command-palette")
            )

    def action_command_palette(self) -> None:
        """Ask for an action or a matrix; only the main screen has them."""
        if self.screen is self.main:
            self.push_screen(
                Palette(placeholder="an action, or part of a matrix's name", id="--command-palette")
            )

    def action_snapshot(self, whole: bool = False) -> None:
        """Save the view in front, or the whole screen, with the data behind it."""
        if self.main.selected is None:
            self.notify("There is no matrix to save.", markup=False)
            return
        if not whole:
            self._save(whole=False)  # at once: the next key may lead to another view
            return
        self.clear_notifications()  # they would lie over the picture
        self.call_after_refresh(self._save, whole=True)

    def _save(self, *, whole: bool) -> None:
        from intruder_tui.ui.saving import save  # its writers can wait until they are needed

        save(self, self.main, self._options.output, whole=whole)


def run(sessions: list[Session], engine: Engine, options: UiOptions) -> int:
    """Open the interface and stay until the person quits; the exit code.

    The engine starts first, so that its worker loads torch while the screen is drawn; it ends with the app.
    """
    app = IntruderApp(sessions, engine, options)
    guard_terminal(engine.close)
    try:
        app.start_engine()
        app.run(mouse=options.mouse)
    finally:
        engine.close()
    return app.return_code or 0
