"""Writes test/golden/padim.json: PaDiM's distances, maps and image scores, by PyTorch's covariances and inverses, in float64.

Features come from a hash that the tests compute too, so that the file holds only results.
Needs torch 1.13, as Debian 12 has it.
"""
import json
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

from hashed import number, uniform

assert torch.__version__.startswith("1.13"), torch.__version__
torch.set_default_dtype(torch.float64)

SIDE, TESTED, SIZE = 4, 3, 56
GOOD_KEY, SEEN_KEY, MEAN_KEY = 1, 5000, 9000
CASES = [
    {"name": "fewer images than dimensions", "images": 5, "channels": 12, "epsilon": 0.01},
    {"name": "as many images as dimensions", "images": 9, "channels": 9, "epsilon": 0.01},
    {"name": "more images than dimensions", "images": 30, "channels": 7, "epsilon": 0.25},
    {"name": "one image", "images": 1, "channels": 6, "epsilon": 0.5},
]


def features(count, channels, key, spread):
    """Cells whose means differ, and whose channels depend on those beside them; rounded to f32 as the tests' are."""
    shape = (count, SIDE, SIDE, channels)
    drawn = uniform(int(np.prod(shape)), key).reshape(shape)
    mean = uniform(SIDE * SIDE * channels, MEAN_KEY).reshape(1, SIDE, SIDE, channels)
    cells = 2 * mean + spread * (drawn + 0.5 * np.roll(drawn, 1, -1))
    return torch.from_numpy(cells.astype(np.float32).astype(np.float64))


def gaussian_blur(maps, sigma):
    """A Gaussian cut off at four deviations, mirrored about the outermost pixels."""
    radius = round(4 * sigma)
    at = torch.arange(-radius, radius + 1, dtype=torch.float64)
    bell = torch.exp(-0.5 * (at / sigma) ** 2)
    bell = bell / bell.sum()
    wide = F.pad(maps, (radius,) * 4, mode="reflect")
    return F.conv2d(F.conv2d(wide, bell.view(1, 1, 1, -1)), bell.view(1, 1, -1, 1))


def case_of(case):
    images, channels = case["images"], case["channels"]
    good = features(images, channels, GOOD_KEY, 1.0).reshape(images, SIDE * SIDE, channels)
    seen = features(TESTED, channels, SEEN_KEY, 2.0).reshape(TESTED, SIDE * SIDE, channels)
    distances = torch.empty(TESTED, SIDE * SIDE)
    for cell in range(SIDE * SIDE):
        covariance = torch.zeros(channels, channels) if images == 1 else torch.cov(good[:, cell].T)
        precision = torch.linalg.inv(covariance + case["epsilon"] * torch.eye(channels))
        offset = seen[:, cell] - good[:, cell].mean(0)
        distances[:, cell] = torch.sqrt(torch.einsum("nc,cd,nd->n", offset, precision, offset))
    enlarged = F.interpolate(distances.view(TESTED, 1, SIDE, SIDE), (SIZE, SIZE), mode="bilinear", align_corners=False)
    maps = gaussian_blur(enlarged, 4 * SIZE / 224)
    return {
        **case,
        "distances": [number(x) for x in distances.reshape(-1)],
        "pixels": [number(x) for x in maps[:, 0, ::5, ::7].reshape(-1)],
        "scores": [number(x) for x in maps.amax((1, 2, 3))],
    }


golden = {
    "torch": torch.__version__,
    "sizes": {"side": SIDE, "tested": TESTED, "size": SIZE},
    "cases": [case_of(case) for case in CASES],
}
path = pathlib.Path(__file__).parent.parent.parent / "test/golden/padim.json"
path.write_text(json.dumps(golden, separators=(",", ":")).replace('{"name"', '\n{"name"') + "\n")
print(path, path.stat().st_size, "bytes")
