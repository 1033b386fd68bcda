"""The keys at the bottom, on two lines if one is too short for all of them."""

from __future__ import annotations

from rich.style import Style
from rich.text import Text
from textual.screen import Screen
from textual.widgets import Static

from tools.console.palette import Palette

_GAP = "  "


class KeyBar(Static):
    """What can be pressed now; a click does the same."""

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._changed)

    def on_resize(self) -> None:
        self._changed(self.screen)

    def _changed(self, screen: Screen[object]) -> None:
        lines = [Text()]
        for each in self._keys(screen):
            if lines[-1] and lines[-1].cell_len + len(_GAP) + each.cell_len > self.content_size.width:
                lines.append(Text())
            elif lines[-1]:
                lines[-1].append(_GAP)
            lines[-1].append_text(each)
        self.update(Text("\n").join(lines))

    def _keys(self, screen: Screen[object]) -> list[Text]:
        palette = Palette.of(self.app.theme_variables)
        found: dict[str, Text] = {}
        for active in screen.active_bindings.values():
            binding = active.binding
            if not binding.show or binding.action in found:
                continue
            click = Style.from_meta({"@click": f"app.simulate_key({binding.key!r})"})
            text = Text(self.app.get_key_display(binding), Style.parse(f"bold {palette.primary}") + click)
            found[binding.action] = text.append(f" {binding.description}", click)
        return list(found.values())
