"""Shared by the scripts of networks' golden files: made-up weights and images, and the summary of a map.

Weights and images come from a hash that the tests compute too (test/harness/made_up_network.ts), so that the files hold only outputs. All is
float64. Needs torch 1.13 and torchvision 0.14, as Debian 12 has them.
"""
import hashlib
import json
import math
import pathlib

import numpy as np
import torch
import torchvision

from hashed import uniform

assert torch.__version__.startswith("1.13"), torch.__version__

SIDE = 70  # of the image: not a multiple of 4, so that paddings differ
SAMPLES = 48


def made_up(key, name, shape):
    """The key is the tensor's index. Scales keep activations near 1 through the network."""
    u = uniform(int(np.prod(shape)), key)
    if name.endswith("running_var") or (name.endswith("weight") and len(shape) == 1):
        u = 1 + 0.5 * u
    elif len(shape) == 1:
        u = 0.2 * u
    else:
        u = u * math.sqrt(4.5 / np.prod(shape[1:]))
    return torch.from_numpy(u.astype(np.float32).astype(np.float64).reshape(shape))  # as the tests can store it


def network(name, is_feature):
    """torchvision's network with made-up weights, and the SHA-256 of the names and shapes of its tensors for which is_feature(name)."""
    net = getattr(torchvision.models, name)(weights=None).double().eval()
    state = net.state_dict()
    names = [name for name in state if is_feature(name) and not name.endswith("num_batches_tracked")]
    lines = [f"{name} {','.join(map(str, state[name].shape))}\n" for name in names]
    for key, name in enumerate(names):
        state[name] = made_up(key + 1, name, tuple(state[name].shape))
    net.load_state_dict(state)
    return net, hashlib.sha256("".join(lines).encode()).hexdigest()


def image():
    """[1, 3, SIDE, SIDE]"""
    pixels = torch.from_numpy(uniform(3 * SIDE * SIDE, 0).astype(np.float32).astype(np.float64))
    return pixels.reshape(1, SIDE, SIDE, 3).permute(0, 3, 1, 2)


def summary(x):
    """Shape of a map as [N, H, W, C], the sum of its squares and some of its elements."""
    values = x.permute(0, 2, 3, 1).contiguous().numpy()
    flat = values.ravel()
    at = [(i * 7919) % flat.size for i in range(SAMPLES)]
    return {"shape": list(values.shape), "squares": float(np.sum(flat**2)), "samples": [float(f"{v:.9g}") for v in flat[at]]}


def write(name, cases):
    path = pathlib.Path(__file__).parent.parent.parent / "test/golden" / name
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    path.write_text('{"torch":"%s","torchvision":"%s","side":%d,"cases":[\n%s\n]}\n' % (torch.__version__, torchvision.__version__, SIDE, lines))
    for case in cases:
        print(case["name"], [round(math.sqrt(layer["squares"] / np.prod(layer["shape"])), 3) for layer in case["layers"]])
