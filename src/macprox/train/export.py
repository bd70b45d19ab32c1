"""Weights as an ONNX file that says what it is."""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

import numpy as np
import onnx
import torch

from macprox.segment.network_grid import NETWORK_PIXEL_UM
from macprox.train.fit import TrainingParameters
from macprox.train.network import UNet

OPSET = 17


def export(network: UNet, parameters: TrainingParameters, path: Path) -> str:
    """Write the network; returns the file's SHA-256.

    The file's own metadata hold the scale and everything that `train` was called with.
    """
    network = network.to("cpu").eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the TorchScript exporter announces its successor
        torch.onnx.export(
            network,
            (torch.zeros(1, 1, 64, 64),),
            str(path),
            input_names=["stain"],
            output_names=["nuclei"],
            dynamic_axes={"stain": {2: "y", 3: "x"}, "nuclei": {2: "y", 3: "x"}},
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load(path)
    facts = {
        "pixel_size_um": str(NETWORK_PIXEL_UM),
        "training": json.dumps(asdict(parameters)),
        "trained_on": "synthetic images only (macprox.train); no real pixel",
        "licence": "BSD-3-Clause",
    }
    onnx.helper.set_model_props(model, facts)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    _check(network, path)
    return sha256(path.read_bytes()).hexdigest()


def _check(network: UNet, path: Path) -> None:
    """The file must compute what the network computes."""
    import onnxruntime

    stain = np.random.default_rng(0).random((1, 1, 96, 160), np.float32)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    with torch.no_grad():
        wanted = network(torch.from_numpy(stain)).numpy()
    np.testing.assert_allclose(session.run(None, {"stain": stain})[0], wanted, atol=1e-3)
