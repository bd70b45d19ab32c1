"""The areas drawn on a slide in a list: what, how large, by whom, when."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTreeWidget, QTreeWidgetItem

from macprox.review.clock import told
from macprox.review.regions.drawn import DrawnRegion

REGION = Qt.ItemDataRole.UserRole


class RegionList(QTreeWidget):
    """One line a drawing; one of them can be chosen."""

    def __init__(self) -> None:
        super().__init__()
        self.setHeaderLabels(["What", "mm²", "Who", "When"])
        self.setRootIsDecorated(False)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.header().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.setMinimumHeight(150)
        self.setToolTip("Click one to see it")

    @property
    def selected(self) -> DrawnRegion | None:
        """What is chosen."""
        items = self.selectedItems()
        return items[0].data(0, REGION) if items else None

    def fill(self, regions: Sequence[DrawnRegion]) -> None:
        """Show these drawings; who was chosen stays so."""
        chosen = self.selected
        self.clear()
        for region in regions:
            when = told(region.time)
            item = QTreeWidgetItem([region.name, f"{region.area_mm2:.3f}", region.reviewer, when])
            item.setToolTip(3, when)
            item.setData(0, REGION, region)
            self.addTopLevelItem(item)
            if chosen is not None and region.region_id == chosen.region_id:
                item.setSelected(True)
