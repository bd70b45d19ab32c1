"""How the built-in network is made: images from seeds, and weights from images."""

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage as ndi

import macprox
from macprox.train.examples import batches, make_example, make_examples
from macprox.train.fields import smooth_noise
from macprox.train.optics import photograph
from macprox.train.scene import make_scene, tidy
from macprox.train.targets import depth_target

ROOM = Path(macprox.__file__).parent / "train"


def test_nothing_is_shared_with_the_slides_that_judge():
    for path in ROOM.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert not (node.module or "").startswith("macprox.simulate"), path


def test_an_image_follows_from_its_seed():
    stain, depth = make_example(5, 96)
    again, _ = make_example(5, 96)
    other, _ = make_example(6, 96)
    np.testing.assert_array_equal(stain, again)
    assert not np.array_equal(stain, other)
    assert stain.shape == depth.shape == (96, 96)
    assert np.isfinite(stain).all()


@pytest.mark.parametrize("seed", range(6))
def test_a_scene_holds_whole_nuclei_that_shine(seed):
    rng = np.random.default_rng(seed)
    scene = make_scene(rng, 192)
    assert scene.labels.max() > 0
    for label, box in enumerate(ndi.find_objects(scene.labels), 1):
        assert ndi.label(scene.labels[box] == label)[1] == 1
    light = scene.sharp + scene.soft
    assert light[scene.labels > 0].min() > 0
    picture = photograph(rng, scene)
    assert picture[scene.labels > 0].mean() > picture[scene.labels == 0].mean()


def test_seeds_cover_cultures_and_crowds():
    covered = [
        (make_scene(np.random.default_rng(seed), 160).labels > 0).mean() for seed in range(40)
    ]
    assert min(covered) < 0.1
    assert max(covered) > 0.5


def test_only_the_largest_piece_of_a_label_is_kept():
    labels = np.zeros((30, 30), np.int32)
    labels[2:10, 2:10] = labels[20:25, 20:25] = 3
    labels[15, 15] = 7  # a speck
    tidied = tidy(labels)
    assert tidied.max() == 1
    assert (tidied > 0).sum() == 64


def test_depth_is_one_at_the_deepest_and_marks_every_pixel():
    labels = np.zeros((40, 40), np.int32)
    labels[5:15, 5:15], labels[5:15, 15:35] = 1, 2
    depth = depth_target(labels)
    assert ((depth > 0) == (labels > 0)).all()
    assert depth[labels == 1].max() == depth[labels == 2].max() == 1
    assert depth[10, 14] < 0.3  # the border between two that touch is shallow


def test_noise_varies_over_the_scale_asked_for():
    fine, coarse = (smooth_noise(np.random.default_rng(0), (200, 200), s) for s in (1, 40))
    assert abs(fine.std() - 1) < 0.01
    assert abs(coarse.std() - 1) < 0.01
    assert np.abs(np.diff(coarse, axis=1)).mean() < 0.1 * np.abs(np.diff(fine, axis=1)).mean()


def test_crops_are_augmented_alike(tmp_path):
    examples = make_examples(tmp_path, range(3, 7), 64, n_processes=1)
    first = list(batches(examples, 3, 2, 32, seed=1))
    again = list(batches(make_examples(tmp_path, range(3, 7), 64, 1), 3, 2, 32, seed=1))
    for (stain, depth), (stain_again, _) in zip(first, again, strict=True):
        np.testing.assert_array_equal(stain, stain_again)
        assert stain.shape == depth.shape == (2, 1, 32, 32)
        assert depth.max() <= 1
        inside, outside = stain[depth > 0.5], stain[depth == 0]
        if inside.size and outside.size:
            assert inside.mean() > outside.mean()


def test_training_learns_continues_and_exports(tmp_path):
    pytest.importorskip("torch", reason="PyTorch is not installed: pip install macprox[train]")
    pytest.importorskip("onnx", reason="onnx is not installed: pip install macprox[train]")
    script = """
import hashlib, sys
from pathlib import Path
import macprox.train.fit as fit
from macprox.train.export import export

fit.CHECK_EVERY = 15
folder, stop = Path(sys.argv[1]), int(sys.argv[2])
parameters = fit.TrainingParameters(n_images=8, n_checks=2, side_px=64, crop_px=32, n_steps=30)
lines = []

def tell(line):
    lines.append(line)
    if len(lines) == stop:
        raise SystemExit

network = fit.train(parameters, folder, 1, tell)
print(export(network, parameters, folder / "nuclei.onnx"), *lines, sep="\\n")
"""

    def run(folder: Path, stop: int) -> list[str]:
        command = [sys.executable, "-c", script, str(folder), str(stop)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    straight = run(tmp_path / "straight", 0)
    losses = [float(line.split("loss ")[1].split(",")[0]) for line in straight[1:]]
    assert losses[-1] < losses[0]
    assert run(tmp_path / "stopped", 1) == []
    assert run(tmp_path / "stopped", 0)[0] == straight[0]  # the same weights, bit by bit
