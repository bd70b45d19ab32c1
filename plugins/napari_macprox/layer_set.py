"""The layers of a review among those of a viewer: each has a key, a place and its visibility."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from napari.layers import Layer

if TYPE_CHECKING:
    import napari

    from napari_macprox.conversion import LayerData

OF_A_REVIEW = "macprox review"  # in the metadata: what a review that was closed leaves is known

Rule = Callable[[str], bool | None]  # by a layer's key: show it, hide it, or leave it


class LayerSet:
    """Layers by key; those that somebody else added are left alone.

    Parameters
    ----------
    viewer : napari.Viewer

    Attributes
    ----------
    order : list of str
        Keys from the lowest layer to the highest; layers with other keys lie above them.
    """

    def __init__(self, viewer: napari.Viewer) -> None:
        self.viewer = viewer
        self.order: list[str] = []
        self._layers: dict[str, Layer] = {}
        self._rules: dict[str, Rule] = {}
        self._visible_before: dict[Layer, bool] = {}
        self._is_batch = False

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Add or remove several layers as one.

        napari arranges its scene after every one, and before that looks for garbage among all that
        Python has loaded: a third of a second for a layer that goes, for nothing that is new.
        """
        if self._is_batch:
            yield
            return
        self._is_batch = True
        gc.freeze()
        try:
            with self.viewer.layers.batched_update():
                yield
        finally:
            gc.unfreeze()
            self._is_batch = False

    def __getitem__(self, key: str) -> Layer | None:
        """The layer, unless there is none or somebody removed it by hand."""
        layer = self._layers.get(key)
        return layer if layer is not None and layer in self.viewer.layers else None

    def put(self, key: str, data: LayerData) -> Layer:
        """Add a layer in its place, instead of the one before; what was selected stays so."""
        self.remove(key)
        layers = self.viewer.layers
        active = layers.selection.active
        layer = Layer.create(*data)
        layer.metadata[OF_A_REVIEW] = True
        self._follow_rules(key, layer)
        if active is None or active not in layers:
            layers.insert(self._place_of(key), layer)
        else:
            with layers.selection.events.blocker_all():  # napari would build its controls twice
                layers.insert(self._place_of(key), layer)
            layers.selection.active = active
        self._layers[key] = layer
        return layer

    def remove(self, key: str) -> None:
        layer = self[key]
        if layer is not None:
            with self.at_once():
                self.viewer.layers.remove(layer)
        gone = self._layers.pop(key, None)
        if gone is not None:
            self._visible_before.pop(gone, None)

    def clear(self) -> None:
        """Remove all of them, and those of a review that was closed; no rule holds any more."""
        for layer in [*self.viewer.layers]:
            if OF_A_REVIEW in layer.metadata and layer not in self._layers.values():
                self._layers[f"left behind {id(layer)}"] = layer
        if self.viewer.layers.selection.active in self._layers.values():
            self.viewer.layers.selection.clear()  # or each one that goes hands over to the next
        with self.at_once():
            for key in [*self._layers]:
                self.remove(key)
        self._rules.clear()
        self._visible_before.clear()

    def rule(self, name: str, rule: Rule | None) -> None:
        """Show or hide layers by a rule, new ones too; with None, as they were before.

        A layer that one rule hides no other rule shows.

        Parameters
        ----------
        name : str
            Of the rule, which takes the place of an earlier one.
        rule : callable or None
        """
        if rule is not None:
            self._rules[name] = rule
        elif self._rules.pop(name, None) is None:
            return
        for key in self._layers:
            layer = self[key]
            if layer is not None:
                self._follow_rules(key, layer)

    def _follow_rules(self, key: str, layer: Layer) -> None:
        wishes = [wish for rule in self._rules.values() if (wish := rule(key)) is not None]
        if wishes:
            self._visible_before.setdefault(layer, layer.visible)
            layer.visible = all(wishes)
        elif layer in self._visible_before:
            layer.visible = self._visible_before.pop(layer)

    def _place_of(self, key: str) -> int:
        layers = self.viewer.layers
        if key not in self.order:
            return len(layers)
        own = self.order.index(key)
        there = {place: self[name] for place, name in enumerate(self.order)}
        places = {place: layers.index(layer) for place, layer in there.items() if layer is not None}
        below = [index + 1 for place, index in places.items() if place < own]
        above = [index for place, index in places.items() if place > own]
        return max(below) if below else min(above, default=len(layers))
