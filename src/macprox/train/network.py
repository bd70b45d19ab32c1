"""The network: a small U-Net that works at half the resolution of its input."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

WIDTHS = (16, 32, 96)
OUTPUTS = 2  # logit of "nucleus", depth inside it


def _two_convolutions(n_in: int, n_out: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for n_from in (n_in, n_out):
        layers += [
            nn.Conv2d(n_from, n_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(n_out),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """``(n, 1, y, x)`` normalised stain to ``(n, 2, y, x)``; sides are multiples of 8.

    Two by two pixels become channels at the entrance and pixels again at the exit: a quarter of
    the arithmetic, with outlines at full resolution (Shi et al., 2016, sub-pixel convolution).
    Skips are added, not concatenated: a third less arithmetic again.
    """

    def __init__(self, widths: tuple[int, ...] = WIDTHS):
        super().__init__()
        n_in = [4, *widths[:-1]]
        self.down = nn.ModuleList(map(_two_convolutions, n_in, widths))
        pairs = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.narrow = nn.ModuleList(nn.Conv2d(deep, skip, 1) for deep, skip in pairs)
        self.up = nn.ModuleList(_two_convolutions(skip, skip) for _, skip in pairs)
        self.head = nn.Conv2d(widths[0], 4 * OUTPUTS, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.pixel_unshuffle(x, 2)
        skips = []
        for depth, block in enumerate(self.down):
            x = block(functional.max_pool2d(x, 2) if depth else x)
            skips.append(x)
        for narrow, block, skip in zip(self.narrow, self.up, skips[-2::-1], strict=True):
            x = block(functional.interpolate(narrow(x), scale_factor=2.0, mode="nearest") + skip)
        return functional.pixel_shuffle(self.head(x), 2)
