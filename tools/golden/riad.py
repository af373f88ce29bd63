"""Writes test/golden/riad.json: RIAD's network, losses, training and map by PyTorch's layers, autograd and Adam, in float64.

Weights, images and hidden squares come from a hash that the tests compute too (hashed.py), so that the file holds only results. Images are no
multiple of what the network takes, so that they are padded. Needs torch 1.13, as Debian 12 has it.
"""
import json
import math
import pathlib

import torch
import torch.nn.functional as F

from hashed import number, summary, tensor, uniform

assert torch.__version__.startswith("1.13"), torch.__version__
torch.set_default_dtype(torch.float64)

BATCH, HEIGHT, WIDTH, CHANNELS, BASE = 2, 24, 32, 3, 3
SIZES, STEPS, LEARNING_RATE = [2, 4, 8, 16], 10, 1e-4
LOSS_WEIGHTS = {"mseWeight": 1, "gmsWeight": 0.5, "ssimWeight": 2}
WEIGHT_KEY, IMAGE_KEY, PASS_KEY, SCORED_KEY = 1, 5140, 6000, 7000
WIDTHS = [BASE, 2 * BASE, 4 * BASE, 8 * BASE, 8 * BASE]
MULTIPLE = 16
LEAST_ROOM = 1e-5


def shapes():
    """Each tensor's shape, window first; and how many inputs an output of it sums."""
    found = {}

    def layer(name, window, inputs, outputs, sums):
        found[f"{name}.weight"] = ((window, window, inputs, outputs), sums)

    def norm(name, channels):
        for kind in ("affine", "running"):
            found[f"{name}.{kind}"] = ((2, channels), None)

    for level, outputs in enumerate(WIDTHS):
        inputs = WIDTHS[level - 1] if level else CHANNELS
        window = 4 if level else 3
        layer(f"unet.down{level}.conv1", window, inputs, outputs, window**2 * inputs)
        layer(f"unet.down{level}.conv2", 3, outputs, outputs, 9 * outputs)
        norm(f"unet.down{level}.norm1", outputs)
        norm(f"unet.down{level}.norm2", outputs)
    for level, outputs in enumerate(WIDTHS[:-1]):
        coarser = WIDTHS[level + 1]
        layer(f"unet.up{level}.double", 4, outputs, coarser, 4 * coarser)
        layer(f"unet.up{level}.conv1", 3, 2 * outputs, outputs, 18 * outputs)
        layer(f"unet.up{level}.conv2", 3, outputs, outputs, 9 * outputs)
        norm(f"unet.up{level}.norm1", outputs)
        norm(f"unet.up{level}.norm2", outputs)
    layer("unet.out", 3, BASE, CHANNELS, 9 * BASE)
    found["unet.out.bias"] = ((CHANNELS,), None)
    return found


def values():
    """A tensor's key is its index in the sorted names."""
    made = {}
    for i, (name, (shape, sums)) in enumerate(sorted(shapes().items())):
        u = tensor(shape, WEIGHT_KEY + i)
        if name.endswith(".affine"):
            u = torch.stack([1 + 0.5 * u[0], 0.2 * u[1]])
        elif name.endswith(".running"):
            u = torch.stack([0.1 * u[0], 1 + 0.5 * u[1]])
        elif name.endswith(".bias"):
            u = 0.2 * u
        else:
            u = u * math.sqrt(3 / sums)
        made[name] = u.float().double()
    return made


class Net:
    def __init__(self):
        made = values()
        self.room = math.inf  # the least distance of a ReLU's input from its kink
        self.states = {name: t for name, t in made.items() if name.endswith(".running")}
        self.parameters = {name: t.requires_grad_() for name, t in made.items() if name not in self.states}

    def weight(self, name):
        # [R, S, I, O] to PyTorch's [O, I, R, S], and of a transposed convolution [R, S, K, C] to [C, K, R, S]
        return self.parameters[f"{name}.weight"].permute(3, 2, 0, 1)

    def normed(self, x, name, training):
        affine, (mean, var) = self.parameters[f"{name}.affine"], self.states[f"{name}.running"]
        x = F.batch_norm(x, mean, var, affine[0], affine[1], training)
        self.room = min(self.room, float(x.detach().abs().min()))
        return F.relu(x)

    def pair(self, x, name, training, stride=1):
        x = F.conv2d(x, self.weight(f"{name}.conv1"), stride=stride, padding=1)
        x = F.conv2d(self.normed(x, f"{name}.norm1", training), self.weight(f"{name}.conv2"), padding=1)
        return self.normed(x, f"{name}.norm2", training)

    def __call__(self, x, training):
        height, width = x.shape[2:]
        x = F.pad(x, (0, -width % MULTIPLE, 0, -height % MULTIPLE))
        maps = []
        for level in range(len(WIDTHS)):
            x = self.pair(x, f"unet.down{level}", training, 2 if level else 1)
            maps.append(x)
        for level in reversed(range(len(WIDTHS) - 1)):
            x = F.conv_transpose2d(x, self.weight(f"unet.up{level}.double"), stride=2, padding=1)
            x = self.pair(torch.cat([x, maps[level]], 1), f"unet.up{level}", training)
        x = torch.tanh(F.conv2d(x, self.weight("unet.out"), self.parameters["unet.out.bias"], padding=1))
        return x[:, :, :height, :width]


def hidden(size, key):
    """For each pass 1 where it hides a pixel, 0 elsewhere."""
    rows, columns = math.ceil(HEIGHT / size), math.ceil(WIDTH / size)
    passes = torch.floor(1.5 * (tensor((rows, columns), key) + 1))
    pixels = passes.repeat_interleave(size, 0).repeat_interleave(size, 1)[:HEIGHT, :WIDTH]
    return [(pixels == nth).double() for nth in range(3)]


def painted(net, images, masks, training):
    return sum(net(images * (1 - mask), training) * mask for mask in masks)


def magnitude(grey):
    down = torch.tensor([[-1.0] * 3, [0.0] * 3, [1.0] * 3]) / 3
    filters = torch.stack([down, down.T])[:, None]
    slopes = F.conv2d(F.pad(grey, (1, 1, 1, 1), mode="replicate"), filters)
    return torch.sqrt((slopes**2).sum(1, keepdim=True) + 1e-8)


def similarities(images, others, c=0.0026):
    a, b = images.mean(1, keepdim=True), others.mean(1, keepdim=True)
    maps = []
    for scale in range(4):
        if scale:
            a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
        g, h = magnitude(a), magnitude(b)
        maps.append((2 * g * h + c) / (g**2 + h**2 + c))
    return maps


def ssim(x, y):
    bell = torch.exp(-((torch.arange(11) - 5.0) ** 2) / (2 * 1.5**2))
    window = (torch.outer(bell, bell) / bell.sum() ** 2).expand(CHANNELS, 1, 11, 11)
    blur = lambda t: F.conv2d(t, window, padding=5, groups=CHANNELS)
    m, n = blur(x), blur(y)
    vx, vy, cov = blur(x * x) - m * m, blur(y * y) - n * n, blur(x * y) - m * n
    c1, c2 = 0.01**2, 0.03**2
    return (((2 * m * n + c1) * (2 * cov + c2)) / ((m * m + n * n + c1) * (vx + vy + c2))).mean()


def losses_of(net, images, masks):
    others = painted(net, images, masks, True)
    gms = sum((1 - s).mean() for s in similarities(images, others)) / 4
    return F.mse_loss(others, images), gms, 1 - ssim(images, others)


def images_of(step):
    """Smooth waves and some noise: pictures have slopes."""
    u = tensor((BATCH, HEIGHT, WIDTH, CHANNELS), IMAGE_KEY + step)
    y, x = torch.arange(HEIGHT)[:, None, None], torch.arange(WIDTH)[None, :, None]
    n, c = torch.arange(BATCH)[:, None, None, None], torch.arange(CHANNELS)
    wave = torch.sin(0.3 * x + 0.2 * y + n + c + step)
    return (0.6 * wave + 0.3 * u).float().double().permute(0, 3, 1, 2)


net = Net()
adam = torch.optim.Adam(net.parameters.values(), lr=LEARNING_RATE)
golden = {
    "torch": torch.__version__,
    "sizes": {"batch": BATCH, "height": HEIGHT, "width": WIDTH, "channels": CHANNELS, "baseWidth": BASE},
    "cellSizes": SIZES,
    "learningRate": LEARNING_RATE,
    "lossWeights": LOSS_WEIGHTS,
    "losses": [],
    "parts": [],
}


def map_of():
    images, total = images_of(0), 0
    for size in SIZES:
        maps = similarities(images, painted(net, images, hidden(size, SCORED_KEY + size), False))
        total = total + sum(F.interpolate(1 - s, size=(HEIGHT, WIDTH), mode="bilinear", align_corners=False) for s in maps) / 4
    return summary(total[:, 0] / len(SIZES))


golden["mapBefore"] = map_of()
for step in range(STEPS):
    size = SIZES[step % len(SIZES)]
    adam.zero_grad()
    net.room = math.inf
    parts = losses_of(net, images_of(step), hidden(size, PASS_KEY + step))
    assert step > 0 or net.room > LEAST_ROOM, net.room  # f32 decides alike where gradients are compared
    loss = sum(weight * part for weight, part in zip(LOSS_WEIGHTS.values(), parts))
    loss.backward()
    golden["losses"].append(number(loss))
    golden["parts"].append([number(part) for part in parts])
    if step == 0:
        golden["gradients"] = {name: summary(p.grad) for name, p in net.parameters.items()}
    adam.step()
golden["after"] = {name: summary(t) for name, t in {**net.parameters, **net.states}.items()}
golden["map"] = map_of()

path = pathlib.Path(__file__).parent.parent.parent / "test/golden/riad.json"
path.write_text(json.dumps(golden, separators=(",", ":")).replace('"unet', '\n"unet') + "\n")
print(path, path.stat().st_size, "bytes")
