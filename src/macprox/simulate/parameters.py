"""What a scene is made of: geometry, who lives where, staining and camera."""

from __future__ import annotations

from dataclasses import dataclass

from macprox.errors import StudyError
from macprox.simulate.panel import KIND_INDEX

GLASS, AIRSPACE, SEPTUM, STROMA, NEST = 0, 1, 2, 3, 4
MAX_SIDE_PX = 131_072  # 64 mm at 0.5 um: more than any glass slide is wide
PLACES = {"airspace": AIRSPACE, "septum": SEPTUM, "stroma": STROMA, "nest": NEST}


@dataclass(frozen=True)
class Population:
    """Cells of one kind in one place.

    Parameters
    ----------
    kind : str
        A name of `panel.KINDS`.
    place : str
        ``"nest"``, ``"stroma"``, ``"septum"`` or ``"airspace"``.
    per_mm2 : float
        Cells offered per mm2 of the place. Those that would sit in another's core are lost, so
        a large number packs the place.
    depth_um : (float, float)
        Only so far from the border of the place.
    border_pull_um : float
        0: anywhere in the place alike. Positive: thins out with this length away from the
        tumour border. Negative: kept away from the border by this length.
    patch_um : float
        0: even. Otherwise gathered in patches of about this size, as lymphocytes are.
    """

    kind: str
    place: str
    per_mm2: float
    depth_um: tuple[float, float] = (2.0, 1e9)
    border_pull_um: float = 0.0
    patch_um: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in KIND_INDEX:
            raise StudyError(
                f"Unknown kind of cell {self.kind!r}; known are {', '.join(KIND_INDEX)}."
            )
        if self.place not in PLACES:
            raise StudyError(f"Unknown place {self.place!r}; known are {', '.join(PLACES)}.")


@dataclass(frozen=True)
class TissueParameters:
    """Where nests, stroma, septa and airspaces are.

    Parameters
    ----------
    lesions_frac : tuple of (x, y, radius)
        Centres as fractions of width and height, radius in micrometres. Empty: scattered by the
        seed, about one for each ``lesion_pitch_um`` squared.
    lesion_pitch_um : float
    border_um, bud_um : float
        How far the border wanders, on the scale of the lesion and of single cell rows.
    strand_um : float
        Width of the stromal strands that part a lesion into nests.
    nest_um : float
        Typical size of the nests between strands.
    capsule_um : float
        Solid stroma around a lesion, before alveoli begin.
    alveolus_um, septum_um : float
        Width of an airspace; thickness of the septa between.
    glass_um : float
        Bare glass along the edges of the slide.
    """

    lesions_frac: tuple[tuple[float, float, float], ...] = ()
    lesion_pitch_um: float = 900.0
    border_um: float = 34.0
    bud_um: float = 12.0
    strand_um: float = 18.0
    nest_um: float = 105.0
    capsule_um: float = 42.0
    alveolus_um: float = 88.0
    septum_um: float = 15.0
    glass_um: float = 0.0


@dataclass(frozen=True)
class CameraParameters:
    """From fluorescence to grey levels.

    Parameters
    ----------
    gain : float
        Grey levels for a unit of light.
    photons_per_dn : float
        Electrons that one grey level stands for: the shot noise.
    read_noise_dn : float
    psf_um, halo_um : float
        Standard deviations of the sharp and of the scattered part of the blur.
    halo_frac : float
        Share of light in the scattered part: what spills into neighbours.
    shading_frac : float
        Unevenness of the illumination.
    dapi_uneven_frac : float
        Unevenness of the nuclear stain, over about twenty nuclei.
    haze_frac : float
        Nuclei out of focus, for each one in focus.
    autofluorescence : float
        1 is ordinary tissue; smokers' lungs have more.
    stain : float
        Brightness of the specific stains, 1 is ordinary.
    """

    gain: float = 0.68
    photons_per_dn: float = 120.0
    read_noise_dn: float = 0.15
    psf_um: float = 0.5
    halo_um: float = 2.6
    halo_frac: float = 0.16
    shading_frac: float = 0.22
    dapi_uneven_frac: float = 0.64
    haze_frac: float = 0.16
    autofluorescence: float = 1.0
    stain: float = 1.0


@dataclass(frozen=True)
class SceneParameters:
    """One slide: everything that decides its pixels.

    Parameters
    ----------
    slide_id : str
    seed : int
    size_px : (int, int)
        Height and width.
    populations : tuple of Population
        In the order in which they take their places.
    anucleate_frac : float
        Macrophages whose nucleus is not in the plane.
    """

    slide_id: str
    seed: int
    size_px: tuple[int, int]
    populations: tuple[Population, ...]
    tissue: TissueParameters = TissueParameters()
    camera: CameraParameters = CameraParameters()
    anucleate_frac: float = 0.2
    pixel_size_um: float = 0.5

    def __post_init__(self) -> None:
        if min(self.size_px) < 64:
            raise StudyError(
                f"A simulated slide must be at least 64 px high and wide, found {self.size_px}."
            )
        if max(self.size_px) > MAX_SIDE_PX:
            raise StudyError(
                f"A simulated slide is at most {MAX_SIDE_PX} px high and wide (64 mm at 0.5 um), "
                f"found {self.size_px}; ask for several smaller ones."
            )
        if not 0.1 <= self.pixel_size_um <= 2:
            raise StudyError(
                f"Pixel size must be between 0.1 and 2 um, found {self.pixel_size_um!r}."
            )

    @property
    def extent_um(self) -> tuple[float, float]:
        """Height and width in micrometres."""
        return (self.size_px[0] * self.pixel_size_um, self.size_px[1] * self.pixel_size_um)
