"""Writes test/golden/dfr.json: DFR's autoencoder by PyTorch's autograd and Adam, and its linear form by PyTorch's eigenvalues, in float64.

Weights and features come from a hash that the tests compute too, so that the file holds only results. Needs torch 1.13, as Debian 12
has it.
"""
import json
import math
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

from hashed import number, summary, uniform

assert torch.__version__.startswith("1.13"), torch.__version__
torch.set_default_dtype(torch.float64)

BATCH, SIDE, CHANNELS, LATENT, STEPS = 3, 5, 13, 3, 10
LEARNING_RATE, SHARE = 0.001, 0.9
IMAGES = 4  # of the linear form
WEIGHT_KEY, FEATURE_KEY, GOOD_KEY, SEEN_KEY = 1, 5000, 6000, 7000

MIDDLE = (CHANNELS + 2 * LATENT) // 2
LAYERS = [  # name, inputs, outputs, whether batch norm and ReLU follow
    ("encoder.layer1", CHANNELS, MIDDLE, True),
    ("encoder.layer2", MIDDLE, 2 * LATENT, True),
    ("encoder.latent", 2 * LATENT, LATENT, False),
    ("decoder.layer1", LATENT, 2 * LATENT, True),
    ("decoder.layer2", 2 * LATENT, MIDDLE, True),
    ("decoder.out", MIDDLE, CHANNELS, False),
]


def shapes():
    found = {"autoencoder.decoder.out.bias": (CHANNELS,)}
    for name, inputs, outputs, normed in LAYERS:
        found[f"autoencoder.{name}.weight"] = (inputs, outputs)
        if normed:
            found[f"autoencoder.{name}.norm.affine"] = (2, outputs)
            found[f"autoencoder.{name}.norm.running"] = (2, outputs)
    return found


def values():
    """Made-up weights that keep signals near 1; a tensor's key is its index in the sorted names."""
    made = {}
    for i, (name, shape) in enumerate(sorted(shapes().items())):
        u = torch.from_numpy(uniform(math.prod(shape), WEIGHT_KEY + i)).reshape(shape)
        if name.endswith(".affine"):
            u = torch.stack([1 + 0.5 * u[0], 0.2 * u[1]])
        elif name.endswith(".running"):
            u = torch.stack([0.1 * u[0], 1 + 0.5 * u[1]])
        elif name.endswith(".bias"):
            u = 0.2 * u
        else:
            u = u * math.sqrt(3 / shape[0])
        made[name] = u
    return made


def features(count, key):
    """Channels that depend on the one before; rounded to f32 as the tests' are."""
    shape = (count, SIDE, SIDE, CHANNELS)
    drawn = uniform(math.prod(shape), key).reshape(shape)
    cells = 2 * drawn + 1.5 * np.roll(drawn, 1, -1)
    return torch.from_numpy(cells.astype(np.float32).astype(np.float64))


class Autoencoder:
    def __init__(self):
        self.values = values()
        self.parameters = {name: v.requires_grad_() for name, v in self.values.items() if not name.endswith(".running")}

    def __call__(self, x, training):
        for name, _, _, normed in LAYERS:
            x = x @ self.values[f"autoencoder.{name}.weight"]
            if normed:
                affine, running = (self.values[f"autoencoder.{name}.norm.{part}"] for part in ("affine", "running"))
                mean, variance = running[0].clone(), running[1].clone()
                x = F.batch_norm(x.permute(0, 3, 1, 2), mean, variance, affine[0], affine[1], training, 0.1, 1e-5).permute(0, 2, 3, 1)
                x = torch.relu(x)
                if training:
                    self.values[f"autoencoder.{name}.norm.running"] = torch.stack([mean, variance])
        return x + self.values["autoencoder.decoder.out.bias"]


def trained():
    with torch.no_grad():
        reconstruction = summary(Autoencoder()(features(BATCH, FEATURE_KEY), True))
    network = Autoencoder()
    optimizer = torch.optim.Adam(network.parameters.values(), lr=LEARNING_RATE)
    losses, gradients = [], None
    for step in range(STEPS):
        optimizer.zero_grad(set_to_none=True)
        batch = features(BATCH, FEATURE_KEY + step)
        loss = F.mse_loss(network(batch, True), batch)
        loss.backward()
        losses.append(number(loss))
        if step == 0:
            gradients = {name: summary(p.grad) for name, p in sorted(network.parameters.items())}
        optimizer.step()
    with torch.no_grad():
        seen = features(BATCH, SEEN_KEY)
        score = ((seen - network(seen, False)) ** 2).mean(-1)
    return {
        "reconstruction": reconstruction,
        "losses": losses,
        "gradients": gradients,
        "after": {name: summary(v) for name, v in sorted(network.values.items())},
        "score": [number(x) for x in score.reshape(-1)],
    }


def linear():
    cells = features(IMAGES, GOOD_KEY).reshape(-1, CHANNELS)
    values, vectors = torch.linalg.eigh(torch.cov(cells.T))
    shares = torch.cumsum(values.flip(0), 0) / values.sum()
    latent = int((shares < SHARE).sum()) + 1
    inside = vectors.flip(1)[:, :latent]
    offsets = features(BATCH, SEEN_KEY) - cells.mean(0)
    score = ((offsets - offsets @ inside @ inside.T) ** 2).mean(-1)
    return {"latent": latent, "score": [number(x) for x in score.reshape(-1)]}


golden = {
    "torch": torch.__version__,
    "sizes": {"batch": BATCH, "side": SIDE, "channels": CHANNELS, "latent": LATENT, "images": IMAGES},
    "autoencoder": trained(),
    "linear": linear(),
}
path = pathlib.Path(__file__).parent.parent.parent / "test/golden/dfr.json"
path.write_text(json.dumps(golden, separators=(",", ":")).replace('"linear"', '\n"linear"') + "\n")
print(path, path.stat().st_size, "bytes")
