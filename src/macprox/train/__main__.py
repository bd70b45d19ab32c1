"""``python -m macprox.train``: rebuild the built-in network from nothing but seeds."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from rich.console import Console

from macprox.train.export import export
from macprox.train.fit import TrainingParameters, train


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m macprox.train", description=__doc__)
    parser.add_argument("out", type=Path, help="the weights, an .onnx file")
    parser.add_argument("--work", type=Path, default=Path("training"), help="images, checkpoint")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--images", type=int, default=TrainingParameters.n_images)
    parser.add_argument("--steps", type=int, default=TrainingParameters.n_steps)
    parser.add_argument("--seed", type=int, default=TrainingParameters.seed)
    arguments = parser.parse_args()
    parameters = TrainingParameters(
        seed=arguments.seed, n_images=arguments.images, n_steps=arguments.steps
    )
    console = Console()
    network = train(parameters, arguments.work, arguments.processes, console.print)
    digest = export(network, parameters, arguments.out)
    console.print(f"{arguments.out}: sha256 {digest}")


if __name__ == "__main__":
    main()
