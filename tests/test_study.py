"""study.toml: what is read, what is written back, and what is said about mistakes."""

import json
from dataclasses import replace

import numpy as np
import pytest

from macprox.errors import PanelError, StudyError
from macprox.phenotype.parameters import MarkerParameters
from macprox.slide import Slide
from macprox.starter_study import guess_panel, starter_study
from macprox.study import ImageParameters, Study

DESIGN = """
[image]
nucleus = "DAPI"
autofluorescence = "AF"

[segmentation]
expansion_um = 4

[segmentation.macrophages]
channels = ["CD68"]

[markers.CD68]
compartment = "cell"
gate = 120

[phenotypes]
"Tumour" = "panCK+ CD68- in:tumour"
"AM/TRM-like" = "CD68+ (MARCO+ or PPARG+) panCK-"
"Mo-mac-like" = "CD68+ TREM2+ panCK-"
"Macrophage, unclassified" = "CD68+ panCK- otherwise"

[proximity]
macrophages = ["AM/TRM-like", "Mo-mac-like"]
radii_um = [10, 20, 50]

[cohort]
samples = "samples.csv"
"""
LUNG = ("DAPI", "AF", "panCK", "CD68", "MARCO", "PPARG", "TREM2", "CD14", "FOLR2", "Ki67")
CHANNELS = ("DAPI", "AF", "panCK", "CD68", "MARCO", "PPARG", "TREM2")


def slide(*channels, slide_id="a", pixel_size_um=0.5):
    return Slide.from_array(np.zeros((len(channels), 2, 2)), channels, pixel_size_um, slide_id)


def test_the_design_example_is_read_with_its_defaults():
    study = Study.from_text(DESIGN)
    assert study.image.nucleus == "DAPI"
    assert study.segmentation.expansion_um == 4.0
    assert study.segmentation.macrophages.channels == ("CD68",)
    assert study.segmentation.macrophages.reach_um == 15.0
    assert study.markers["CD68"] == MarkerParameters("cell", 120.0)
    assert study.proximity.radii_um == (10.0, 20.0, 50.0)
    assert study.rules["Macrophage, unclassified"].otherwise
    assert str(study.tumour_marker_rule) == "panCK+ CD68-"


def test_markers_that_only_rules_name_get_default_gates():
    study = Study.from_text(DESIGN)
    assert list(study.markers) == ["CD68", "panCK", "MARCO", "PPARG", "TREM2"]
    assert study.markers["MARCO"] == MarkerParameters()


def test_the_effective_study_reads_back_equal_and_explains_its_keys():
    study = Study.from_text(DESIGN)
    text = study.to_toml()
    assert "expansion_um = 4.0" in text
    assert "n_permutations = 999" in text
    assert "# How far a cell extends beyond its nucleus" in text
    assert "# pixel_size_um: not given" in text
    assert Study.from_text(text) == study
    assert Study.from_text(text).to_toml() == text


def test_names_with_quotes_dots_and_umlauts_survive_writing():
    study = Study(
        ImageParameters("DAPI"),
        markers={"a.b": MarkerParameters(), 'q"x': MarkerParameters("ring", -1.5)},
        phenotypes={"Zelle ü": "a.b+ 'q\"x'-"},
    )
    assert Study.from_text(study.to_toml()) == study


def test_the_dictionary_is_json_and_changes_with_every_parameter():
    study = Study.from_text(DESIGN)
    changed = replace(study, markers={**study.markers, "CD68": MarkerParameters("cell", 121.0)})
    assert json.dumps(study.to_dict()) == json.dumps(Study.from_text(DESIGN).to_dict())
    assert json.dumps(study.to_dict()) != json.dumps(changed.to_dict())


def test_the_smallest_study_is_a_nuclear_channel():
    study = Study.from_text('[image]\nnucleus = "DAPI"\n')
    assert study.phenotypes == {}
    assert study.markers == {}
    assert study.proximity.macrophages == ()
    assert study.tumour_marker_rule is None
    study.check_slide(slide("DAPI"))


def test_file_names_are_relative_to_the_study(tmp_path):
    (tmp_path / "study.toml").write_text(
        DESIGN + '[regions]\ntumour = "{slide_id}.geojson"\n', encoding="utf-8"
    )
    study = Study.from_toml(tmp_path / "study.toml")
    assert study.cohort.samples == str(tmp_path / "samples.csv")
    with pytest.raises(StudyError, match=r"regions.tumour names .*a\.geojson.* no such file"):
        study.check_slide(slide(*CHANNELS))
    (tmp_path / "a.geojson").write_text("{}", encoding="utf-8")
    assert study.for_slide(slide(*CHANNELS)) is study


@pytest.mark.parametrize(
    ("before", "after", "line", "message"),
    [
        ("expansion_um = 4", "expansion = 4", 7, "unknown key 'expansion' under .segmentation.; "
         "did you mean 'expansion_um'.*Allowed: method"),
        ("expansion_um = 4", 'expansion_um = "4"', 7, "expansion_um must be a number, found '4'"),
        ("expansion_um = 4", "expansion_um = 0", 7, "expansion_um must be a positive number"),
        ("expansion_um = 4", 'method = "watersheds"', 7, "Did you mean 'watershed'"),
        ("[markers.CD68]", "[marker.CD68]", 12, "unknown key 'marker'; did you mean 'markers'"),
        ('compartment = "cell"', 'compartment = "nuclus"', 13, "Did you mean 'nucleus'"),
        ("gate = 120", "gate = true", 14, "gate must be \"auto\" or a number, found True"),
        ("gate = 120", "gate = inf", 14, "gate must be"),
        ('"CD68+ TREM2+ panCK-"', '"CD68+ TREM2 panCK-"', 19,
         "phenotype 'Mo-mac-like': .*column 7: 'TREM2' has no sign"),
        ('"Macrophage, unclassified" = ', '"Other" = ', 20, "'Other' is what cells without"),
        ('"Macrophage, unclassified" = ', '"am trm like" = ', 16,
         "share the column name 'am_trm_like'"),
        ('["AM/TRM-like", "Mo-mac-like"]', '["AM/TRM"]', 23,
         "proximity.macrophages names 'AM/TRM', which is no phenotype; did you mean 'AM/TRM-like'"),
        ("radii_um = [10, 20, 50]", 'tumour = "Tumor"', 24, "did you mean 'Tumour'"),
        ("radii_um = [10, 20, 50]", "radii_um = [20, 10]", 24, "radii_um must be positive and inc"),
        ("radii_um = [10, 20, 50]", 'radii_um = ["10"]', 24, "must be a list of numbers"),
        ('nucleus = "DAPI"', "nucleus = 1", 3, "nucleus must be a text, found 1"),
        ('nucleus = "DAPI"', "", 2, "needs the key 'nucleus'"),
        ('nucleus = "DAPI"', 'nucleus = "AF"', 3, "autofluorescence and nucleus are both 'AF'"),
        ('autofluorescence = "AF"', "pixel_size_um = -1", 4, "pixel_size_um must be a positive"),
        ('"AM/TRM-like" = ', "AM/TRM-like = ", 18, "not valid TOML.*needs quotes"),
        ('"CD68"]', '"CD68"', 12, "not valid TOML"),
        ('samples = "samples.csv"', "samples = 3", 27, "samples must be a text, found 3"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_file_line_and_remedy(before, after, line, message):
    assert before in DESIGN
    with pytest.raises(StudyError, match=rf"x\.toml line {line}\b.*{message}") as caught:
        Study.from_text(DESIGN.replace(before, after, 1), "x.toml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"[image]\nnucleus = 1{'0' * 5000}", "study.toml: not valid TOML: Exceeds the limit"),
        (f"a = {'[' * 60_000}", "study.toml: not valid TOML: maximum recursion depth"),
        (f"{'k' * 5000} = 1", "unknown key 'kkk.*…; Allowed"),
        (
            '[image]\nnucleus = "D"\n[phenotypes]\na = "CD68+ CD68--+"',
            r"study.toml: \[markers\]: .*would share the column name",
        ),
    ],
)
def test_text_that_no_person_wrote_is_refused_in_a_short_sentence(text, message):
    with pytest.raises(StudyError, match=message) as told:
        Study.from_text(text)
    assert max(map(len, str(told.value).splitlines())) < 600


def test_a_line_without_end_takes_no_time():
    with pytest.raises(StudyError, match=r"line 1, column .*not valid TOML"):
        Study.from_text("a " * 60_000)


def test_a_text_of_several_lines_may_look_like_keys():
    text = """[image]\nnucleus = '''\n"\\q" = 1\n'''"""
    assert Study.from_text(text).image.nucleus == '"\\q" = 1\n'


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file():
    text = DESIGN.replace("expansion_um", "expansion").replace("TREM2+", "TREM2")
    with pytest.raises(StudyError) as caught:
        Study.from_text(text.replace("radii_um", "radius_um"))
    lines = str(caught.value).splitlines()
    assert [line.split(":")[0] for line in lines] == [f"study.toml line {n}" for n in (7, 19, 24)]


def test_a_study_built_in_python_is_checked_alike():
    with pytest.raises(StudyError, match=r"phenotype 'T': .*'CD3' has no sign"):
        Study(ImageParameters("DAPI"), phenotypes={"T": "CD3"})
    with pytest.raises(StudyError, match=r"compartment must be one of nucleus, ring, cell"):
        MarkerParameters("nuclei")
    with pytest.raises(StudyError, match=r"gate must be 'auto' or a number"):
        MarkerParameters(gate=float("nan"))


def test_a_study_that_is_not_there_or_not_text_is_one_sentence(tmp_path):
    with pytest.raises(StudyError, match=r"Cannot read the study .*nowhere\.toml: No such file"):
        Study.from_toml(tmp_path / "nowhere.toml")
    (tmp_path / "latin.toml").write_bytes(b'[image]\nnucleus = "\xe9"\n')
    with pytest.raises(StudyError, match=r"latin\.toml is not UTF-8"):
        Study.from_toml(tmp_path / "latin.toml")
    with pytest.raises(StudyError, match=r"table \[image\] with the key 'nucleus' is required"):
        Study.from_text("")
    with pytest.raises(StudyError, match=r"line 1: \[image\] must be a table"):
        Study.from_text("image = 3")


def test_a_slide_without_a_needed_channel_is_refused_with_the_near_miss():
    study = Study.from_text(DESIGN)
    study.check_slide(slide(*CHANNELS))
    without = [name for name in CHANNELS if name != "MARCO"]
    with pytest.raises(PanelError, match=r"'AM/TRM-like' needs marker 'MARCO', but slide 'a' has "):
        study.check_slide(slide(*without))
    with pytest.raises(PanelError, match=r"Did you mean 'Marco'\?"):
        study.check_slide(slide(*without, "Marco"))
    with pytest.raises(PanelError, match=r"\[image\] nucleus needs channel 'DAPI'"):
        study.check_slide(slide(*CHANNELS[1:]))
    with pytest.raises(PanelError, match=r"would share the column name 'marco'"):
        study.check_slide(slide(*CHANNELS, "Marco"))


@pytest.mark.parametrize(
    "channels",
    [
        ("DAPI", "PDL1", "GZMB", "PD1", "CK-EPCAM", "CD8a", "FOXP3"),
        ("HH3", "PanKRT", "CK7", "ECAD", "CD68", "CD14", "CD11c", "HLADRDPDQ", "CD45", "CD3"),
        ("Alexa 594", "Cy3", "Cy5", "DAPI", "FITC"),
        ("DAPI", "AF", "panCK", "CD68", "MARCO", "TREM2", "FOXP3", "CD3"),
        ("CD68 (Opal 620)", "CK (Opal 690)", "DAPI", "Autofluorescence"),
        ("DNA_1", "blank", "SOX10", "CD163", "FOLR2", "CD8"),
        ("c 0", 'q"1'),
    ],
)
def test_a_starter_study_parses_and_fits_the_slides_it_was_made_for(channels):
    slides = [slide(*channels, slide_id="a"), slide(*channels, "extra", slide_id="b")]
    text = starter_study(slides)
    study = Study.from_text(text)
    for each in slides:
        study.check_slide(each)
    assert "extra" not in study.markers
    assert study.image.pixel_size_um is None


def test_names_tell_the_roles_of_a_lung_panel():
    panel = guess_panel(LUNG)
    assert (panel.nucleus, panel.blank, panel.tumour) == ("DAPI", "AF", "panCK")
    assert panel.resident == ("MARCO", "PPARG")
    assert panel.monocytic == ("TREM2", "CD14")
    assert panel.others == ("Ki67",)
    study = Study.from_text(starter_study([slide("DAPI", "panCK", "CD68", "MARCO", "PPARG")]))
    assert study.phenotypes["AM/TRM-like"] == "CD68+ (MARCO+ or PPARG+) panCK-"
    assert study.markers["PPARG"].compartment == "nucleus"


def test_without_macrophages_the_starter_says_so_and_takes_cd8():
    text = starter_study([slide("DAPI", "CK-EPCAM", "CD8a", "FOXP3")])
    assert "No channel is named like a macrophage marker" in text
    assert Study.from_text(text).proximity.macrophages == ("CD8 T cell",)
    text = starter_study([slide("DAPI", "CD68")])
    assert "No channel is named like a tumour" in text
    assert list(Study.from_text(text).phenotypes) == ["Macrophage"]


def test_a_starter_study_never_guesses_the_pixel_size():
    class Info:
        slide_id, channels, pixel_size_um = "a", ("DAPI",), None

    text = starter_study([Info()])
    assert "never guessed" in text
    assert Study.from_text(text).image.pixel_size_um is None
    with pytest.raises(PanelError, match="at least one slide"):
        starter_study([])
    with pytest.raises(PanelError, match="share no channel"):
        starter_study([slide("DAPI"), slide("Hoechst")])
