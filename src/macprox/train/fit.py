"""The training loop: fixed steps from fixed seeds, on a GPU where there is one."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from macprox.train.examples import Examples, batches, make_examples
from macprox.train.network import UNet

DEPTH_WEIGHT = 1.5
INSIDE_WEIGHT = 2.0  # an error of depth inside a nucleus counts three times that outside
CHECK_EVERY = 500


@dataclass(frozen=True)
class TrainingParameters:
    """What decides the weights, besides the generator's code.

    ``n_steps`` batches of ``batch_size`` crops from ``n_images`` drawn images; the learning rate
    rises over the first 200 steps and falls along a cosine; the released weights are the running
    average (decay ``average``).
    """

    seed: int = 1000
    n_images: int = 5000
    n_checks: int = 96
    side_px: int = 256
    crop_px: int = 160
    batch_size: int = 8
    n_steps: int = 22_000
    peak_rate: float = 4e-3
    weight_decay: float = 1e-4
    average: float = 0.999


def loss_of(found: torch.Tensor, depth: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of "nucleus", plus the absolute error of depth."""
    inside = (depth > 0).to(found.dtype)
    is_nucleus = functional.binary_cross_entropy_with_logits(found[:, :1], inside)
    error = functional.l1_loss(found[:, 1:], depth, reduction="none")
    return is_nucleus + DEPTH_WEIGHT * (error * (1 + INSIDE_WEIGHT * inside)).mean()


def _rate(step: int, parameters: TrainingParameters) -> float:
    """Relative learning rate."""
    fall = 0.5 * (1 + math.cos(math.pi * step / parameters.n_steps))
    return min(1.0, (step + 1) / 200) * (fall + 0.002)


class Trainer:
    """Network, its running average and the optimiser; can be saved and continued."""

    def __init__(self, parameters: TrainingParameters):
        torch.manual_seed(parameters.seed)
        self.parameters = parameters
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.network = UNet().to(self.device).to(memory_format=torch.channels_last)
        self.averaged = copy.deepcopy(self.network).eval()
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=parameters.peak_rate, weight_decay=parameters.weight_decay
        )
        self.step = 0

    def save(self, path: Path) -> None:
        states = [part.state_dict() for part in (self.network, self.averaged, self.optimiser)]
        torch.save({"step": self.step, "states": states}, path)

    def load(self, path: Path) -> None:
        saved = torch.load(path, map_location=self.device, weights_only=True)
        self.step = saved["step"]
        of_network, of_average, of_optimiser = saved["states"]
        self.network.load_state_dict(of_network)
        self.averaged.load_state_dict(of_average)
        self.optimiser.load_state_dict(of_optimiser)

    def learn(self, stain: np.ndarray, depth: np.ndarray) -> float:
        """One step; the loss before it."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.parameters.peak_rate * _rate(self.step, self.parameters)
        self.network.train()
        loss = loss_of(self.network(self._tensor(stain)), self._tensor(depth))
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 2.0)
        self.optimiser.step()
        self.step += 1
        self._follow()
        return float(loss.detach())

    def _follow(self) -> None:
        """Move the average towards the network, faster while it is young."""
        decay = min(self.parameters.average, (1 + self.step) / (10 + self.step))
        new, old = self.network.state_dict(), self.averaged.state_dict()
        for name, value in old.items():
            if value.is_floating_point():
                value.lerp_(new[name], 1 - decay)
            else:
                value.copy_(new[name])

    @torch.no_grad()
    def check(self, examples: Examples) -> float:
        """Mean loss of the averaged network on images that it never learns from."""
        side = examples.stain.shape[1]
        pairs = list(batches(examples, 12, 8, side, seed=0))
        losses = [loss_of(self.averaged(self._tensor(s)), self._tensor(d)) for s, d in pairs]
        return float(torch.stack(losses).mean())

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(self.device, memory_format=torch.channels_last)


def train(
    parameters: TrainingParameters, folder: Path, n_processes: int, tell: Callable[[str], None]
) -> UNet:
    """Draw the images, train, and return the averaged network; continues an interrupted run.

    Parameters
    ----------
    folder : Path
        For drawn images and checkpoints.
    n_processes : int
        Processes that draw, then threads that train. The images do not depend on it; the last
        bits of the weights may.
    tell : callable
        Given a line of progress now and then.
    """
    torch.set_num_threads(n_processes)
    first = parameters.seed
    held_back = range(first, first + parameters.n_checks)
    learnt = range(held_back.stop, held_back.stop + parameters.n_images)
    checks, examples = (
        make_examples(folder, seeds, parameters.side_px, n_processes)
        for seeds in (held_back, learnt)
    )
    trainer, checkpoint = Trainer(parameters), folder / "checkpoint.pt"
    if checkpoint.exists():
        trainer.load(checkpoint)
    started, first_step = time.monotonic(), trainer.step
    while trainer.step < parameters.n_steps:
        n_batches = min(CHECK_EVERY, parameters.n_steps - trainer.step)
        pieces = batches(
            examples,
            n_batches,
            parameters.batch_size,
            parameters.crop_px,
            seed=parameters.seed + trainer.step,
        )
        losses = [trainer.learn(stain, depth) for stain, depth in pieces]
        trainer.save(checkpoint)
        per_step = (time.monotonic() - started) / (trainer.step - first_step)
        tell(
            f"step {trainer.step} of {parameters.n_steps}: loss {np.mean(losses):.4f}, "
            f"on images kept back {trainer.check(checks):.4f}, {per_step:.3f} s a step"
        )
    return trainer.averaged
