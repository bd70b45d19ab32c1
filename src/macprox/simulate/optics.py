"""From what cells emit to what a camera writes: tissue glow, blur, crosstalk, shading, noise."""

from __future__ import annotations

import math

import numba as nb
import numpy as np
from scipy import ndimage as ndi

from macprox.simulate import noise
from macprox.simulate.panel import CHANNELS
from macprox.simulate.parameters import CameraParameters, SceneParameters
from macprox.simulate.places import Places, sample

_GLOW_UM = 9.0  # DAPI from above and below the focal plane
_GLOW_FRAC = 0.16
MARGIN_UM = 44.0  # a block is rendered with this much around it: the widest blur ends inside
_TRUNCATE = 3.5
_OFFSET_DN = 2.0  # camera offset that is left after dark correction

# Autofluorescence seen in each channel, relative to the blank channel: strongest in green.
_BLEED = dict(DAPI=0.5, panCK=0.3, CD68=0.42, MARCO=0.2, TREM2=0.34, FOXP3=0.22, CD3=0.26, AF=1.0)
# Light of one dye that passes the next filter.
_CROSSTALK = (("panCK", "CD68", 0.02), ("CD68", "MARCO", 0.03), ("MARCO", "TREM2", 0.03),
              ("CD3", "FOXP3", 0.03), ("DAPI", "AF", 0.015), ("TREM2", "CD68", 0.02))  # fmt: skip


def expose(signal, places: Places, y0: int, x0: int, margin: int, parameters: SceneParameters):
    """Grey levels of a block, its margin taken off.

    Parameters
    ----------
    signal : (n_channels, h, w) float32
        As `appearance.paint` gives it; used up.
    places : Places
        Around all of ``signal``.
    y0, x0 : int
        First pixel of ``signal`` on the slide.
    margin : int
        Pixels of ``signal`` on every side that are there to be blurred into the others.
    parameters : SceneParameters

    Returns
    -------
    (n_channels, h - 2 margin, w - 2 margin) uint16
    """
    pixel_size_um, seed = parameters.pixel_size_um, parameters.seed
    camera = parameters.camera
    index = {channel: i for i, channel in enumerate(CHANNELS)}
    bleed = np.array([_BLEED[channel] for channel in CHANNELS], np.float32)
    tissue = np.zeros(signal.shape[1:], np.float32)
    _glow(tissue, signal[index["panCK"]], places.nest_um, places.air_um, places.first, y0, x0,
          pixel_size_um, camera.autofluorescence, camera.stain, seed)  # fmt: skip
    signal[index["AF"]] += tissue
    grains = signal[index["AF"]].copy()
    for c in range(len(CHANNELS)):
        if c != index["AF"]:
            signal[c] += bleed[c] * grains
    for source, target, share in _CROSSTALK:
        signal[index[target]] += share * signal[index[source]]
    inner = slice(margin, -margin)
    y0, x0 = y0 + margin, x0 + margin
    exposed = np.empty(signal[:, inner, inner].shape, np.uint16)
    lamp = np.empty((2, *exposed.shape[1:]))
    _light(lamp, y0, x0, pixel_size_um, camera.shading_frac, camera.dapi_uneven_frac, seed)
    knobs = (camera.shading_frac, camera.gain, camera.photons_per_dn, camera.read_noise_dn)
    for c, channel in enumerate(CHANNELS):
        blurred = _blur(signal[c], camera, pixel_size_um, channel == "DAPI")[inner, inner]
        _expose(blurred, lamp[int(channel == "DAPI")], exposed[c], c, y0, x0, pixel_size_um,
                knobs, seed)  # fmt: skip
    return exposed


def _blur(plane, camera: CameraParameters, pixel_size_um: float, is_dapi: bool):
    def gaussian(sigma_um):
        return ndi.gaussian_filter(plane, sigma_um / pixel_size_um, truncate=_TRUNCATE)

    sharp = gaussian(camera.psf_um)
    blurred = (1 - camera.halo_frac) * sharp + camera.halo_frac * gaussian(camera.halo_um)
    if is_dapi:
        blurred += _GLOW_FRAC * gaussian(_GLOW_UM)
    return blurred


@nb.njit(cache=True, nogil=True)
def _glow(tissue, keratin, nest_um, air_um, first, y0, x0, scale, strength, stain, seed):
    """Autofluorescent matrix and elastic fibres; the film of pneumocytes along the airspaces."""
    across = (x0 + np.arange(tissue.shape[1]) + 0.5) * scale
    clouds = np.empty(across.size)
    patches = np.empty(across.size)
    for i in range(tissue.shape[0]):
        y = (y0 + i + 0.5) * scale
        noise.smooth_row(clouds, y, across, 130.0, noise.TISSUE, seed)
        noise.smooth_row(patches, y, across, 48.0, noise.FIBRE + 10, seed)
        for j in range(tissue.shape[1]):
            x = across[j]
            nest = sample(nest_um, first, y, x)
            air = sample(air_um, first, y, x)
            solid = 1.0 / (1.0 + math.exp(min(max(air / 0.8, -40.0), 40.0)))
            stroma = solid / (1.0 + math.exp(min(max(nest / 1.5, -40.0), 40.0)))
            cloud = clouds[j]
            matrix = 0.6 + solid * (2.0 + 2.2 * cloud) + 1.6 * stroma * cloud
            patch = max(patches[j] - 0.42, 0.0) * 3.2
            fibre = 0.0
            if patch > 0 and stroma > 1e-6:
                fibre = 17.0 * stroma * patch * _fibre(y, x, seed)
            tissue[i, j] = strength * (matrix + fibre)
            if abs(air + 1.3) > 6.0:
                continue
            patchy = max(noise.smooth(y, x, 16.0, noise.FILM, seed) - 0.5, 0.0) * 2.0
            film = math.exp(-(((air + 1.3) / 0.9) ** 2))
            keratin[i, j] += (
                stain * 26.0 * film * patchy / (1.0 + math.exp(min(max(nest, -40.0), 40.0)))
            )


@nb.njit(cache=True)
def _fibre(y, x, seed):
    """Elastic fibres follow the zero lines of a warped noise."""
    warp = 5.0 * noise.swing(y, x, 26.0, noise.FIBRE + 20, seed)
    ridge = abs(noise.swing(y + warp, x - warp, 21.0, noise.FIBRE, seed))
    return math.exp(-((ridge / 0.05) ** 2))


@nb.njit(cache=True, nogil=True)
def _light(lamp, y0, x0, scale, shading, uneven, seed):
    """Relative brightness everywhere: of the illumination, and with the nuclear stain's own."""
    across = (x0 + np.arange(lamp.shape[2]) + 0.5) * scale
    for i in range(lamp.shape[1]):
        y = (y0 + i + 0.5) * scale
        noise.swing_row(lamp[0, i], y, across, 420.0, noise.SHADING, seed)
        noise.swing_row(lamp[1, i], y, across, 190.0, noise.SHADING + 2, seed)
        for j in range(across.size):
            lamp[0, i, j] = 1.0 + shading * lamp[0, i, j]
            lamp[1, i, j] = lamp[0, i, j] * (1.0 + uneven * lamp[1, i, j])


@nb.njit(cache=True, nogil=True)
def _expose(plane, lamp, out, channel, y0, x0, scale, knobs, seed):
    """Stray light, shot noise, read noise, rounding."""
    shading, gain, photons_per_dn, read_noise = knobs
    across = (x0 + np.arange(plane.shape[1]) + 0.5) * scale
    stray = np.empty(across.size)
    for i in range(plane.shape[0]):
        y = (y0 + i + 0.5) * scale
        noise.swing_row(stray, y, across, 260.0, noise.SHADING + 4 + channel, seed)
        for j in range(plane.shape[1]):
            veil = 1.2 * shading * (1.0 + stray[j])
            light = gain * (plane[i, j] * lamp[i, j] + veil)
            sigma = math.sqrt(max(light, 0.0) / photons_per_dn + read_noise * read_noise)
            error = sigma * noise.normal(y0 + i, x0 + j, noise.PIXEL + channel, seed)
            out[i, j] = min(max(int(_OFFSET_DN + light + error + 0.5), 0), 65535)
