"""Writes test/golden/simplenet.json: SimpleNet as its paper and code define it, and SuperSimpleNet's masked noise and losses, by PyTorch's
layers, autograd and optimisers, in float64.

Weights, features, noise and masks come from a hash that the tests compute too (hashed.py). Sizes are small, and every decision (which side of a
margin or of zero a value is on) is checked here to have room, so that f32 cannot decide differently. Needs torch 1.13, as Debian 12 has it.
"""
import json
import math
import pathlib

import torch
import torch.nn.functional as F

from hashed import has_room, number, summary, tensor

assert torch.__version__.startswith("1.13"), torch.__version__
torch.set_default_dtype(torch.float64)

BATCH, SIDE, CHANNELS, HIDDEN = 3, 5, 8, 12
STEPS = 10
SIGMA, MARGIN, GAMMA = 0.3, 0.5, 4
WEIGHT_KEY, FEATURE_KEY, NOISE_KEY, MASK_KEY = 1, 5000, 6000, 7000
MAP = (BATCH, SIDE, SIDE)


def model():
    """Both as in the published code. Biases before the norm, which takes them away again, are 0: there they stay."""
    adaptor = torch.nn.Linear(CHANNELS, CHANNELS)
    discriminator = torch.nn.Sequential(
        torch.nn.Linear(CHANNELS, HIDDEN),
        torch.nn.BatchNorm1d(HIDDEN),
        torch.nn.LeakyReLU(0.2),
        torch.nn.Linear(HIDDEN, 1, bias=False),
    )
    layer = lambda key, inputs, outputs: (tensor((inputs, outputs), WEIGHT_KEY + key) * math.sqrt(3 / inputs)).T
    with torch.no_grad():
        adaptor.weight.copy_(layer(0, CHANNELS, CHANNELS))
        adaptor.bias.zero_()
        discriminator[0].weight.copy_(layer(1, CHANNELS, HIDDEN))
        discriminator[0].bias.zero_()
        discriminator[1].weight.copy_(1 + 0.5 * tensor((HIDDEN,), WEIGHT_KEY + 2))
        discriminator[1].bias.copy_(0.2 * tensor((HIDDEN,), WEIGHT_KEY + 3))
        discriminator[3].weight.copy_(layer(4, HIDDEN, 1))
    return adaptor, discriminator


def named(adaptor, discriminator, of=lambda p: p):
    """Tensors under the names and in the layouts of the tests. There the last layer gives -D."""
    first, norm, _, last = discriminator
    return {
        "adaptor.weight": of(adaptor.weight).T,
        "discriminator.layer1.weight": of(first.weight).T,
        "discriminator.norm.affine": torch.stack([of(norm.weight), of(norm.bias)]),
        "discriminator.layer2.weight": -of(last.weight).T,
    }


def features_of(step):
    return tensor((*MAP, CHANNELS), FEATURE_KEY + step)


def loss_of(adaptor, discriminator, step, patches):
    q = adaptor(features_of(step).reshape(-1, CHANNELS))
    cells = q.shape[0]
    if patches:
        mask = (tensor((2 * BATCH, SIDE, SIDE), MASK_KEY + step) > 0.4).double().reshape(-1)
        noise = SIGMA * tensor((2 * BATCH, SIDE, SIDE, CHANNELS), NOISE_KEY + step).reshape(-1, CHANNELS)
        seen = torch.cat([q, q]) + noise * mask[:, None]
    else:
        mask = torch.cat([torch.zeros(cells), torch.ones(cells)])
        noise = SIGMA * tensor((*MAP, CHANNELS), NOISE_KEY + step).reshape(-1, CHANNELS)
        seen = torch.cat([q, q + noise])
    with torch.no_grad():
        hidden = F.batch_norm(discriminator[0](seen), None, None, discriminator[1].weight, discriminator[1].bias, True)
        has_room(hidden, 2e-6)
    d = discriminator(seen)[:, 0]
    good, noisy = d[mask == 0], d[mask == 1]
    has_room((MARGIN - good).detach())
    has_room((MARGIN + noisy).detach())
    loss = torch.clip(MARGIN - good, min=0).mean() + torch.clip(MARGIN + noisy, min=0).mean()
    if patches:
        p = torch.sigmoid(-d)
        wrong = p * (1 - mask) + (1 - p) * mask
        loss = loss + (wrong**GAMMA * F.binary_cross_entropy_with_logits(-d, mask, reduction="none")).mean()
    return loss


def case_of(patches):
    adaptor, discriminator = model()
    adam = torch.optim.Adam(discriminator.parameters(), lr=2e-4, weight_decay=1e-5)
    adamw = torch.optim.AdamW(adaptor.parameters(), lr=1e-4, weight_decay=0.01)
    losses, gradients = [], None
    for step in range(STEPS):
        adam.zero_grad()
        adamw.zero_grad()
        loss = loss_of(adaptor, discriminator, step, patches)
        loss.backward()
        losses.append(number(loss))
        if step == 0:
            gradients = {name: summary(g) for name, g in named(adaptor, discriminator, lambda p: p.grad).items()}
        adam.step()
        adamw.step()
    for bias in (adaptor.bias, discriminator[0].bias):
        assert float(bias.abs().max()) < 1e-9  # it has no gradient but rounding
    after = {name: summary(p) for name, p in named(adaptor, discriminator).items()}
    norm = discriminator[1]
    after["discriminator.norm.running"] = summary(torch.stack([norm.running_mean, norm.running_var]))
    discriminator.eval()
    scores = -discriminator(adaptor(features_of(0).reshape(-1, CHANNELS)))
    return {"noiseRegion": "patches" if patches else "all", "losses": losses, "gradients": gradients, "after": after, "scores": summary(scores)}


golden = {
    "torch": torch.__version__,
    "sizes": {"batch": BATCH, "side": SIDE, "channels": CHANNELS, "hidden": HIDDEN},
    "sigma": SIGMA,
    "margin": MARGIN,
    "cases": [case_of(False), case_of(True)],
}
path = pathlib.Path(__file__).parent.parent.parent / "test/golden/simplenet.json"
path.write_text(json.dumps(golden, separators=(",", ":")).replace('{"noiseRegion"', '\n{"noiseRegion"') + "\n")
print(path, path.stat().st_size, "bytes")
