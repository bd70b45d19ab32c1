"""The list of slides: sorted by meaning, the open one bold, a double click away from the next."""

import shutil

import pytest

pytest.importorskip("napari", reason="needs the napari extra")
pytest.importorskip("pytestqt", reason="needs the test extra")

from qtpy.QtCore import Qt
from qtpy.QtGui import QTextDocument
from qtpy.QtWidgets import QAbstractButton, QFileDialog, QLabel, QTableWidget

from macprox.review.slides.listing import TITLES
from napari_macprox.panels.furniture import sentence, tip_text
from napari_macprox.panels.slides import SETTLE_MS, SlidesPanel
from review_bench import BenchReview, on_bench

pytestmark = pytest.mark.usefixtures("screen")

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def panel(qtbot, moved) -> SlidesPanel:
    for name in ("a_second", "z_third"):
        shutil.copytree(moved.path, moved.path.parent / name)
    panel = on_bench(qtbot, SlidesPanel, moved, (400, 500))
    panel.review.open_slide = panel.review.opened_paths.append
    return panel


def table(panel) -> QTableWidget:
    return panel.findChild(QTableWidget)


def column(panel, title: str) -> list[str]:
    at = TITLES.index(title)
    return [table(panel).item(i, at).text() for i in range(table(panel).rowCount())]


def button(panel, text: str) -> QAbstractButton:
    (found,) = (b for b in panel.findChildren(QAbstractButton) if text in b.text())
    return found


def test_all_slides_are_listed_and_the_open_one_is_bold(panel):
    assert column(panel, "Slide") == ["a_second", "field", "z_third"]
    bold = [table(panel).item(i, 0).font().bold() for i in range(3)]
    assert bold == [False, True, False]
    assert panel.findChildren(QLabel)[0].text() == "3 slides: ready 3"
    assert table(panel).isColumnHidden(TITLES.index("Reviewer"))  # nobody yet


def test_a_double_click_opens_a_slide_once_and_the_open_one_not_again(qtbot, panel, moved):
    place = table(panel).visualItemRect(table(panel).item(2, 0)).center()
    qtbot.mouseClick(table(panel).viewport(), LEFT, pos=place)
    qtbot.mouseDClick(table(panel).viewport(), LEFT, pos=place)
    assert panel.review.opened_paths == [moved.path.parent / "z_third"]
    place = table(panel).visualItemRect(table(panel).item(1, 0)).center()
    qtbot.mouseClick(table(panel).viewport(), LEFT, pos=place)
    qtbot.mouseDClick(table(panel).viewport(), LEFT, pos=place)
    assert len(panel.review.opened_paths) == 1


def test_next_and_previous(qtbot, panel, moved):
    qtbot.mouseClick(button(panel, "Next"), LEFT)
    qtbot.mouseClick(button(panel, "Previous"), LEFT)
    assert [path.name for path in panel.review.opened_paths] == ["z_third", "a_second"]


def test_the_light_is_a_sign_and_a_word_and_says_why(panel):
    assert column(panel, "Light") == ["⚠ amber"] * 3
    assert "mm² of tissue" in table(panel).item(0, TITLES.index("Light")).toolTip()


def test_names_from_files_are_no_markup(qtbot):
    hostile = "<script>alert(1)</script> & <b>bold</b>\nnext"
    assert tip_text("a & b\nnext") == "a & b\nnext"  # nothing that could be taken for markup
    document = QTextDocument()
    document.setHtml(tip_text(hostile))
    assert document.toPlainText() == hostile
    label = QLabel(hostile)
    qtbot.addWidget(label)
    assert label.textFormat() == Qt.TextFormat.AutoText  # control: that is why ours say so
    assert sentence(hostile).textFormat() == Qt.TextFormat.PlainText


def test_numbers_sort_as_numbers(panel):
    cells = TITLES.index("Cells")
    for i, n in enumerate((1000, 20, 300)):
        item = table(panel).item(i, cells)
        item.setText(f"{n:,}")
        item.setData(Qt.ItemDataRole.UserRole + 1, float(n))
    table(panel).sortByColumn(cells, Qt.SortOrder.AscendingOrder)
    assert column(panel, "Cells") == ["20", "300", "1,000"]
    table(panel).sortByColumn(cells, Qt.SortOrder.DescendingOrder)
    assert column(panel, "Cells") == ["1,000", "300", "20"]


def test_a_decision_shows_in_the_list_without_being_asked(qtbot, panel):
    assert column(panel, "Status") == ["○ ready"] * 3
    panel.review.do(lambda session: session.sign_off(), needs_recalculation=False)
    qtbot.waitUntil(
        lambda: column(panel, "Status")[1].startswith("✓ signed off"), timeout=10 * SETTLE_MS
    )
    assert column(panel, "Reviewer") == ["", "A. Reviewer", ""]
    assert not table(panel).isColumnHidden(TITLES.index("Reviewer"))


def test_a_folder_is_chosen_where_none_is_open(qtbot, moved, monkeypatch):
    review = BenchReview()
    review.open_slide = review.opened_paths.append
    panel = SlidesPanel(review)
    qtbot.addWidget(panel)
    assert panel.findChildren(QLabel)[0].text() == "No result folder is open."
    assert not button(panel, "Next").isEnabled()
    results = str(moved.path.parents[1])
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: results)
    qtbot.mouseClick(button(panel, "Open results"), LEFT)
    assert review.opened_paths == [moved.path]
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: "")
    qtbot.mouseClick(button(panel, "Open results"), LEFT)
    assert len(review.opened_paths) == 1


def test_a_folder_that_is_gone_is_a_sentence_and_can_be_looked_at_again(panel, moved):
    shutil.rmtree(moved.path.parents[0])
    panel._look()
    assert "No slides in" in panel.review.sentences[-1]
    assert not panel._is_looking


def test_every_control_says_what_it_does(panel):
    for widget in panel.findChildren(QAbstractButton):
        assert widget.toolTip() or not widget.text()
