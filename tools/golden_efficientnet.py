"""Writes test/golden/efficientnet.json: what torchvision's EfficientNets make of made-up weights and a made-up image.

Weights and image come of a hash that the tests compute too, so that the file holds outputs alone: of each of the layers 1 to
5 the sum of squares and some elements. Padding "symmetric" is torchvision's own; for "same" and "same-static" every
convolution is given TensorFlow's padding, of the image at hand or of the network's native size. Everything is float64.
Needs torch 1.13 and torchvision 0.14, as Debian 12 has them.
"""
import json
import math
import pathlib

import numpy as np
import torch
import torchvision

assert torch.__version__.startswith("1.13"), torch.__version__

NATIVE = [224, 240, 260, 300, 380, 456, 528, 600]
SIDE = 70  # of the image: no multiple of anything, so that the paddings differ
SAMPLES = 48


def uniform(count, key):
    """Numbers in [-1, 1) by a hash of (key, index); the same in test/models/efficientnet.test.ts."""
    x = np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B9) + np.uint32(key)
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x21F0AAAD)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0x735A2D97)
    x = x ^ (x >> np.uint32(15))
    return (x >> np.uint32(8)).astype(np.float64) / 2**23 - 1


def made_up(key, name, shape):
    """The key is the tensor's place among all. Scales keep activations near 1 through the network."""
    u = uniform(int(np.prod(shape)), key)
    if name.endswith("running_var") or (name.endswith("weight") and len(shape) == 1):
        u = 1 + 0.5 * u
    elif len(shape) == 1:
        u = 0.2 * u
    else:
        u = u * math.sqrt(4.5 / np.prod(shape[1:]))
    return torch.from_numpy(u.astype(np.float32).astype(np.float64).reshape(shape))  # what the tests can store


class Padded(torch.nn.Conv2d):
    """A convolution with TensorFlow's padding."""

    def forward(self, x):
        k, s = self.kernel_size[0], self.stride[0]
        sides = []
        for n in (x.shape[3], x.shape[2]):
            native = self.native if self.native else n
            total = max((math.ceil(native / s) - 1) * s + k - native, 0)
            sides += [total // 2, total - total // 2]
        return torch.nn.functional.conv2d(torch.nn.functional.pad(x, sides), self.weight, self.bias, self.stride, 0, 1, self.groups)


def network(index):
    net = getattr(torchvision.models, f"efficientnet_b{index}")(weights=None).double().eval()
    state = net.state_dict()
    names = [name for name in state if name.startswith("features.") and not name.endswith("num_batches_tracked")]
    for key, name in enumerate(names):
        state[name] = made_up(key + 1, name, tuple(state[name].shape))
    net.load_state_dict(state)
    return net


def repad(net, padding, native):
    side = native
    for module in net.features.modules():
        if not isinstance(module, torch.nn.Conv2d) or module.kernel_size == (1, 1):
            continue
        module.__class__ = Padded
        module.native = side if padding == "same-static" else None
        side = math.ceil(side / module.stride[0])


STAGES = [1, 2, 3, 5, 7]  # of net.features, behind which layers 1 to 5 end
cases = []
for index in range(8):
    for padding in ("symmetric", "same", "same-static"):
        if padding != "symmetric" and index not in (0, 4, 6):
            continue
        net = network(index)
        if padding != "symmetric":
            repad(net, padding, NATIVE[index])
        x = torch.from_numpy(uniform(3 * SIDE * SIDE, 0).astype(np.float32).astype(np.float64)).reshape(1, SIDE, SIDE, 3).permute(0, 3, 1, 2)
        layers = []
        with torch.no_grad():
            for stage, module in enumerate(net.features[:8]):
                x = module(x)
                if stage in STAGES:
                    values = x.permute(0, 2, 3, 1).contiguous().numpy()  # [N,H,W,C]
                    flat = values.ravel()
                    at = [(i * 7919) % flat.size for i in range(SAMPLES)]
                    layers.append({"shape": list(values.shape), "squares": float(np.sum(flat**2)), "samples": [float(f"{v:.9g}") for v in flat[at]]})
        cases.append({"name": f"efficientnet-b{index}", "padding": padding, "layers": layers})
        print(index, padding, [round(math.sqrt(layer["squares"] / np.prod(layer["shape"])), 3) for layer in layers])

path = pathlib.Path(__file__).parent.parent / "test/golden/efficientnet.json"
lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
path.write_text('{"torch":"%s","torchvision":"%s","side":%d,"cases":[\n%s\n]}\n' % (torch.__version__, torchvision.__version__, SIDE, lines))
