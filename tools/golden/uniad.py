"""Writes test/golden/uniad.json: UniAD as its paper and code define it, by PyTorch's functions, autograd and AdamW, in float64.

Weights, features, jitter and what dropout drops come from a hash that the tests compute too (hashed.py). Attention is PyTorch's own; where elements are
dropped, which it draws itself, it is written out, and both are compared here. Sizes are small, and no ReLU is so close to its kink that f32 could decide
otherwise. Needs torch 1.13, as Debian 12 has it.
"""
import json
import math
import pathlib

import torch
import torch.nn.functional as F

from hashed import has_room, number, summary, tensor

assert torch.__version__.startswith("1.13"), torch.__version__
torch.set_default_dtype(torch.float64)

BATCH, HEIGHT, WIDTH, CHANNELS = 2, 4, 5, 6
HIDDEN, HEADS, INNER, LAYERS, WINDOW = 8, 2, 12, 2, 3
STEPS, RATE, DECAY, MAX_NORM, JITTER = 10, 1e-3, 1e-4, 0.1, 20
WEIGHT_KEY, FEATURE_KEY, JITTER_KEY, DROP_KEY = 1, 5000, 6000, 7000
TOKENS = HEIGHT * WIDTH


def shapes():
    """Every tensor by the name that the tests have for it; matrices as [inputs, outputs]."""
    linear = lambda at, inputs, outputs: {f"{at}.weight": (inputs, outputs), f"{at}.bias": (outputs,)}
    attention = lambda at: {
        **linear(f"{at}.query", HIDDEN, HIDDEN),
        f"{at}.key.weight": (HIDDEN, HIDDEN),
        **linear(f"{at}.value", HIDDEN, HIDDEN),
        **linear(f"{at}.out", HIDDEN, HIDDEN),
    }
    norm = lambda at: {f"{at}.affine": (2, HIDDEN)}
    forward = lambda at: {**linear(f"{at}.linear1", HIDDEN, INNER), **linear(f"{at}.linear2", INNER, HIDDEN)}
    found = {**linear("input", CHANNELS, HIDDEN), **linear("output", HIDDEN, CHANNELS), **norm("transformer.norm")}
    found |= {"position.rows": (HEIGHT, HIDDEN // 2), "position.columns": (WIDTH, HIDDEN // 2)}
    for i in range(LAYERS):
        at = f"transformer.encoder.layer{i}"
        found |= {**attention(f"{at}.attention"), **forward(at), **norm(f"{at}.norm1"), **norm(f"{at}.norm2")}
        at = f"transformer.decoder.layer{i}"
        found |= {f"{at}.query": (TOKENS, HIDDEN), **attention(f"{at}.attention1"), **attention(f"{at}.attention2"), **forward(at)}
        found |= {**norm(f"{at}.norm1"), **norm(f"{at}.norm2"), **norm(f"{at}.norm3")}
    return found


def made_up(name, shape, key):
    u = tensor(shape, key)
    if name.endswith(".affine"):
        return torch.stack([1 + 0.5 * u[0], 0.2 * u[1]])
    if name.endswith(".bias"):
        return 0.2 * u
    return u * math.sqrt(3 / shape[0]) if name.endswith(".weight") else u


def parameters():
    named = sorted(shapes().items())
    return {name: made_up(name, shape, WEIGHT_KEY + i).requires_grad_() for i, (name, shape) in enumerate(named)}


def hidden_neighbours():
    """Minus infinity within the window around each cell, as published."""
    cells = [(h, w) for h in range(HEIGHT) for w in range(WIDTH)]
    near = lambda a, b: abs(a[0] - b[0]) <= WINDOW // 2 and abs(a[1] - b[1]) <= WINDOW // 2
    return torch.tensor([[-math.inf if near(a, b) else 0.0 for b in cells] for a in cells])


class Dropped:
    """Dropout of a tenth of the elements, at one place after another of a step."""

    def __init__(self, step):
        self.step, self.place = step, 0

    def __call__(self, x):
        kept = tensor(tuple(x.shape), DROP_KEY + 100 * self.step + self.place) > -0.8
        self.place += 1
        return x * kept / 0.9


class Network:
    """Tokens [N, T, C], as in the tests."""

    def __init__(self, named, drop):
        self.p, self.drop, self.mask = named, drop, hidden_neighbours()
        self.position = torch.cat(
            [
                named["position.columns"].unsqueeze(0).expand(HEIGHT, WIDTH, -1),
                named["position.rows"].unsqueeze(1).expand(HEIGHT, WIDTH, -1),
            ],
            dim=-1,
        ).reshape(TOKENS, HIDDEN)

    def linear(self, at, x):
        return F.linear(x, self.p[f"{at}.weight"].T, self.p.get(f"{at}.bias"))

    def norm(self, at, x):
        weight, bias = self.p[f"{at}.affine"]
        return F.layer_norm(x, (HIDDEN,), weight, bias)

    def maybe(self, x):
        return x if self.drop is None else self.drop(x)

    def attention(self, at, query, key, value):
        if self.drop is not None:
            return self.attention_written_out(at, query, key, value, self.drop)
        parts = [f"{at}.{name}" for name in ("query", "key", "value")]
        biases = [self.p.get(f"{part}.bias", torch.zeros(HIDDEN)) for part in parts]
        first = lambda x: x.transpose(0, 1)
        found, _ = F.multi_head_attention_forward(
            first(query), first(key), first(value), HIDDEN, HEADS,
            torch.cat([self.p[f"{part}.weight"].T for part in parts]), torch.cat(biases), None, None, False, 0.0,
            self.p[f"{at}.out.weight"].T, self.p[f"{at}.out.bias"], training=False, need_weights=False, attn_mask=self.mask,
        )
        found = first(found)
        with torch.no_grad():
            written_out = self.attention_written_out(at, query, key, value, lambda x: x)
            assert float((found - written_out).abs().max()) < 1e-12
        return found

    def attention_written_out(self, at, query, key, value, drop):
        heads = lambda x: x.reshape(BATCH, TOKENS, HEADS, HIDDEN // HEADS).transpose(1, 2)
        q, k, v = (heads(self.linear(f"{at}.{name}", x)) for name, x in (("query", query), ("key", key), ("value", value)))
        shares = drop(torch.softmax(q @ k.transpose(2, 3) / math.sqrt(HIDDEN // HEADS) + self.mask, dim=-1))
        return self.linear(f"{at}.out", (shares @ v).transpose(1, 2).reshape(BATCH, TOKENS, HIDDEN))

    def feed_forward(self, at, x, norm):
        wide = self.linear(f"{at}.linear1", x)
        has_room(wide.detach(), 2e-6)
        return self.norm(f"{at}.{norm}", x + self.maybe(self.linear(f"{at}.linear2", self.maybe(torch.relu(wide)))))

    def encoder(self, at, x):
        placed = x + self.position
        x = self.norm(f"{at}.norm1", x + self.maybe(self.attention(f"{at}.attention", placed, placed, x)))
        return self.feed_forward(at, x, "norm2")

    def decoder(self, at, before, memory):
        asked = self.p[f"{at}.query"].expand(BATCH, TOKENS, HIDDEN)
        found = self.attention(f"{at}.attention1", asked + self.position, memory + self.position, memory)
        x = self.norm(f"{at}.norm1", asked + self.maybe(found))
        found = self.attention(f"{at}.attention2", x + self.position, before + self.position, before)
        x = self.norm(f"{at}.norm2", x + self.maybe(found))
        return self.feed_forward(at, x, "norm3")

    def reconstruct(self, features):
        memory = self.linear("input", features.reshape(BATCH, TOKENS, CHANNELS))
        for i in range(LAYERS):
            memory = self.encoder(f"transformer.encoder.layer{i}", memory)
        x = memory
        for i in range(LAYERS):
            x = self.decoder(f"transformer.decoder.layer{i}", x, memory)
        return self.linear("output", self.norm("transformer.norm", x)).reshape(features.shape)


def features_of(step):
    return 2 * tensor((BATCH, HEIGHT, WIDTH, CHANNELS), FEATURE_KEY + step)


def seen_of(step):
    """Features with jitter, of which the tests draw the same numbers: uniform ones instead of normal ones."""
    features = features_of(step)
    noise = tensor(tuple(features.shape), JITTER_KEY + step)
    return features + noise * features.norm(dim=-1, keepdim=True) / CHANNELS * JITTER


def case_of(drops):
    named = parameters()
    optimizer = torch.optim.AdamW(named.values(), lr=RATE, weight_decay=DECAY)
    losses, gradients, places = [], None, 0
    for step in range(STEPS):
        optimizer.zero_grad()
        drop = Dropped(step) if drops else None
        loss = F.mse_loss(Network(named, drop).reconstruct(seen_of(step)), features_of(step))
        loss.backward()
        losses.append(number(loss))
        if step == 0:
            gradients = {name: summary(p.grad) for name, p in named.items()}
            places = drop.place if drops else 0
        norm = torch.nn.utils.clip_grad_norm_(named.values(), MAX_NORM)
        assert norm > MAX_NORM
        optimizer.step()
    with torch.no_grad():
        reconstruction = Network(named, None).reconstruct(features_of(0))
        scores = (reconstruction - features_of(0)).pow(2).sum(dim=-1).sqrt()
    weights = {} if drops else {"after": {name: summary(p) for name, p in named.items()}}
    return {
        "dropout": drops, "places": places, "losses": losses, "gradients": gradients, **weights,
        "reconstruction": summary(reconstruction), "scores": summary(scores),
    }  # fmt: skip


golden = {
    "torch": torch.__version__,
    "sizes": {
        "batch": BATCH, "height": HEIGHT, "width": WIDTH, "channels": CHANNELS,
        "hidden": HIDDEN, "attentionHeads": HEADS, "feedForward": INNER, "layers": LAYERS, "window": WINDOW,
    },  # fmt: skip
    "learningRate": RATE,
    "weightDecay": DECAY,
    "jitter": JITTER,
    "cases": [case_of(False), case_of(True)],
}
path = pathlib.Path(__file__).parent.parent.parent / "test/golden/uniad.json"
path.write_text(json.dumps(golden, separators=(",", ":")).replace('{"dropout"', '\n{"dropout"') + "\n")
print(path, path.stat().st_size, "bytes")
