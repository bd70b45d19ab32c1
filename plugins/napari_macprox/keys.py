"""Keys that work wherever the focus is: in the image, whichever layer is active, and in a panel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QWidget

if TYPE_CHECKING:
    import napari
    from napari.layers import Layer

OWN_KEYS = "keeps napari's keys"  # in the metadata of a layer that is drawn on with napari's tools


class Keys:
    """Some keys of a viewer, as long as they are bound.

    napari asks the active layer's keys before the viewer's, and a layer of labels has all digits
    and Ctrl+Z for its brush; so keys are bound to every layer, except those that are drawn on.

    Parameters
    ----------
    viewer : napari.Viewer
    widget : QWidget
        A panel: the keys work while the focus is in it, too.
    actions : mapping of str to callable
        By key as Qt writes it, such as ``"U"`` or ``"Ctrl+Z"``.
    """

    def __init__(
        self, viewer: napari.Viewer, widget: QWidget, actions: Mapping[str, Callable[[], object]]
    ) -> None:
        self._viewer = viewer
        self._actions = dict(actions)
        self._is_bound = False
        self._shortcuts = []
        for key, action in self._actions.items():
            shortcut = QShortcut(QKeySequence(key), widget)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(lambda act=action: act())
            shortcut.setEnabled(False)
            self._shortcuts.append(shortcut)

    def bind(self) -> None:
        """From now on the keys do what they say."""
        if self._is_bound:
            return
        self._is_bound = True
        for shortcut in self._shortcuts:
            shortcut.setEnabled(True)
        self._bind_to(self._viewer)
        for layer in self._viewer.layers:
            self._bind_to_layer(layer)
        self._viewer.layers.events.inserted.connect(self._inserted)

    def release(self) -> None:
        """The keys are napari's again."""
        if not self._is_bound:
            return
        self._is_bound = False
        for shortcut in self._shortcuts:
            shortcut.setEnabled(False)
        self._viewer.layers.events.inserted.disconnect(self._inserted)
        for place in (self._viewer, *self._viewer.layers):
            for key in self._actions:
                if getattr(place.keymap.get(_key_of(key)), "macprox", None) is self:
                    place.bind_key(_napari(key), None)

    def _inserted(self, event: Any) -> None:
        self._bind_to_layer(event.value)

    def _bind_to_layer(self, layer: Layer) -> None:
        if not layer.metadata.get(OWN_KEYS):
            self._bind_to(layer)

    def _bind_to(self, place: Any) -> None:
        for key, action in self._actions.items():

            def pressed(_: Any, act: Callable[[], object] = action) -> None:
                act()

            pressed.macprox = self  # type: ignore[attr-defined]
            place.bind_key(_napari(key), pressed, overwrite=True)


def _napari(key: str) -> str:
    return key.replace("Ctrl", "Control").replace("+", "-")


def _key_of(key: str) -> Any:
    from napari.utils.key_bindings import coerce_keybinding

    return coerce_keybinding(_napari(key))
