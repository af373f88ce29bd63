"""Writes test/golden/grad.json: GRAD, and its normal grid alone, which is CRAD, as docs and papers define them, by PyTorch's autograd and optimiser, in float64.

Weights, features, noise and masks come from a hash that the tests compute too, so that the file holds only results: losses,
and for every tensor its norm, its product with a fixed tensor and some elements. Sizes are small, and every decision of the
model (which side of a threshold a value is on) is checked here to have a margin, so that f32 cannot decide differently.
Needs torch 1.13, as Debian 12 has it.
"""
import json
import math
import pathlib

import torch
import torch.nn.functional as F

from hashed import has_room, number, summary, tensor

assert torch.__version__.startswith("1.13"), torch.__version__
torch.set_default_dtype(torch.float64)

BATCH, SIDE, CHANNELS = 3, 6, 8
# With two cells a side, codes outside their centres only scale what is sampled, which standardising undoes: gradients are rounding.
LOCAL, GLOBAL = 4, 4
STEPS = 10
PAIRS = 40
TINY_WIDTH = 48
RESIDUAL_WIDTH = 64
THRESHOLD, HINGE = 10.0, 0.5  # at a feature variance of 24
WEIGHT_KEY, FEATURE_KEY, NOISE_KEY, PASTE_KEY, PAIR_KEY = 1, 5000, 6000, 7000, 8000

CASES = {
    "tiny": {"decoder": "tiny", "blocks": 1},
    "mobile": {"decoder": "mobile", "blocks": 2},
    "basic": {"decoder": "basic", "blocks": 2},
    "separate heads": {"decoder": "tiny", "blocks": 1, "heads": "separate"},
    "sum": {"decoder": "tiny", "blocks": 1, "fusion": "sum"},
    "lambda": {"decoder": "tiny", "blocks": 1, "fusion": "lambda", "lambda": 0.7},
    "no fusion": {"decoder": "tiny", "blocks": 1, "fusion": "none", "heads": "separate"},
    "own head": {"decoder": "tiny", "blocks": 1, "hingeHead": "own"},
    "pairs": {"decoder": "tiny", "blocks": 1, "pairs": "cosine"},
    "not standardised": {"decoder": "tiny", "blocks": 1, "standardise": False},
    "frozen branch": {"decoder": "tiny", "blocks": 1, "freeze": "branch"},
    "normal": {"decoder": "tiny", "blocks": 1, "branches": "normal"},
    "normal, mobile": {"decoder": "mobile", "blocks": 2, "branches": "normal"},
    "abnormal": {"decoder": "tiny", "blocks": 1, "branches": "abnormal"},
    "joined": {"decoder": "tiny", "blocks": 1, "heads": "separate", "fusion": "none", "freeze": "branch", "residualWeight": 4},
}
WHOLE = ["tiny", "mobile", "basic", "normal, mobile"]  # for the others only losses and the gradients' norms


def features_of(step):
    """Clean features: most positions similar to their reconstruction at first, some not."""
    return 3.5 * tensor((BATCH, SIDE, SIDE, CHANNELS), FEATURE_KEY) + 0.5 * tensor((BATCH, SIDE, SIDE, CHANNELS), FEATURE_KEY + 1 + step)


def noise_of(step):
    return 0.05 * tensor((BATCH, SIDE, SIDE, 2), NOISE_KEY + step)


def mask_of(step):
    """One position in four, different ones in every step."""
    return (tensor((BATCH, SIDE, SIDE), PASTE_KEY + step) > 0.5).to(torch.float64)


def pairs_of(step):
    """Pairs of positions, and a flag: true if both are marked or both are unmarked."""
    pairs = ((tensor((PAIRS, 2), PAIR_KEY + step) + 1) / 2 * BATCH * SIDE * SIDE).long()
    marked = mask_of(step).reshape(-1)[pairs]
    return pairs, (marked[:, 0] == marked[:, 1]).to(torch.float64)


def pasted(step):
    return features_of(step) + 9 * mask_of(step)[..., None]


class Names:
    """The parameters and states of a model, by name, with their shapes."""

    def __init__(self, options):
        self.shapes = {}
        branches = {"both": ["normal", "abnormal"]}.get(options.get("branches", "both"), [options.get("branches")])
        if options.get("heads") == "separate":
            for branch in branches:
                self.heads(f"{branch}.head")
        else:
            self.heads("head")
        for branch in branches:
            self.shapes[f"{branch}.localGrid"] = (1, LOCAL, LOCAL, CHANNELS)
            self.shapes[f"{branch}.globalGrid"] = (1, GLOBAL, GLOBAL, SIDE * SIDE * CHANNELS)
            self.decoder(f"{branch}.decoder", options)
        if options.get("hingeHead") == "own":
            self.shapes["abnormal.hinge.weight"] = (CHANNELS, 1)
            self.shapes["abnormal.hinge.bias"] = (1,)
        if len(branches) == 2 and options.get("fusion", "learned") == "learned":
            self.shapes["fusion.weight"] = (1,)
        if options.get("residualWeight", 0) > 0:
            self.shapes["residual.unit"] = (CHANNELS,)
            for n, inputs, outputs in ((1, CHANNELS, RESIDUAL_WIDTH), (2, RESIDUAL_WIDTH, 1)):
                self.shapes[f"residual.layer{n}.weight"] = (inputs, outputs)
                self.shapes[f"residual.layer{n}.bias"] = (outputs,)

    def heads(self, at):
        for head in ("global", "local"):
            self.shapes[f"{at}.{head}.layer1.weight"] = (CHANNELS, CHANNELS)
            self.shapes[f"{at}.{head}.layer1.bias"] = (CHANNELS,)
            self.shapes[f"{at}.{head}.layer2.weight"] = (CHANNELS, 2)
            self.shapes[f"{at}.{head}.layer2.bias"] = (2,)

    def norm(self, at, channels):
        self.shapes[f"{at}.affine"] = (2, channels)
        self.shapes[f"{at}.running"] = (2, channels)

    def decoder(self, at, options):
        kind = options["decoder"]
        width = TINY_WIDTH if kind == "tiny" else 2 * CHANNELS
        expanded = TINY_WIDTH if kind == "tiny" else 4 * CHANNELS
        if kind == "tiny":
            self.shapes[f"{at}.in.weight"] = (2 * CHANNELS, width)
        for i in range(options["blocks"]):
            block = f"{at}.block{i}"
            if kind == "basic":
                for n in (1, 2):
                    self.shapes[f"{block}.conv{n}.weight"] = (3, 3, width, width)
                    self.norm(f"{block}.norm{n}", width)
                continue
            self.shapes[f"{block}.expand.weight"] = (width, expanded)
            self.norm(f"{block}.norm1", expanded)
            self.shapes[f"{block}.depthwise.weight"] = (3, 3, expanded)
            self.norm(f"{block}.norm2", expanded)
            self.shapes[f"{block}.gate.reduce.weight"] = (expanded, expanded // 4)
            self.shapes[f"{block}.gate.expand.weight"] = (expanded // 4, expanded)
            self.shapes[f"{block}.project.weight"] = (expanded, width)
            self.norm(f"{block}.norm3", width)
        self.shapes[f"{at}.out.weight"] = (width, CHANNELS)


def values_of(shapes):
    """Made-up weights that keep signals near 1; a tensor's key is its index in the sorted names."""
    values = {}
    for i, name in enumerate(sorted(shapes)):
        shape = shapes[name]
        u = tensor(shape, WEIGHT_KEY + i)
        if name == "fusion.weight":
            u = torch.full(shape, -0.2)
        elif name.endswith(".affine"):
            u = torch.stack([1 + 0.5 * u[0], 0.2 * u[1]])
        elif name.endswith(".running"):
            u = torch.stack([0.1 * u[0], 1 + 0.5 * u[1]])
        elif name.endswith(".unit"):
            u = 2 + u
        elif name.endswith(".bias"):
            u = 0.2 * u
        elif name.endswith(".weight"):
            fan = 9 if name.endswith("depthwise.weight") else math.prod(shape[:-1])
            u = u * math.sqrt(3 / fan)
        values[name] = u
    return values


class Model:
    def __init__(self, options):
        self.options = options
        self.values = values_of(Names(options).shapes)
        self.parameters = {name: v.requires_grad_() for name, v in self.values.items() if not name.endswith((".running", ".unit"))}

    def conv3x3(self, x, weight, groups=1):
        rsck = self.values[weight]
        weight = rsck.permute(2, 0, 1)[:, None] if groups > 1 else rsck.permute(3, 2, 0, 1)
        return F.conv2d(x.permute(0, 3, 1, 2), weight, padding=1, groups=groups).permute(0, 2, 3, 1)

    def norm(self, x, at, training):
        affine, running = self.values[f"{at}.affine"], self.values[f"{at}.running"]
        mean, variance = running[0].clone(), running[1].clone()
        y = F.batch_norm(x.permute(0, 3, 1, 2), mean, variance, affine[0], affine[1], training, 0.1, 1e-5).permute(0, 2, 3, 1)
        if training:
            self.values[f"{at}.running"] = torch.stack([mean, variance])
        return y

    def codes(self, a, noise, branch):
        at = f"{branch}.head" if self.options.get("heads") == "separate" else "head"

        def head(x, which):
            p = f"{at}.{which}"
            hidden = torch.tanh(x @ self.values[f"{p}.layer1.weight"] + self.values[f"{p}.layer1.bias"])
            return torch.tanh(hidden @ self.values[f"{p}.layer2.weight"] + self.values[f"{p}.layer2.bias"])

        local = head(a, "local")
        return head(a.mean((1, 2)), "global"), local if noise is None else local + noise

    def query(self, branch, codes):
        v_g, v_l = codes
        batch = v_l.shape[0]
        sample = lambda grid, at: F.grid_sample(grid.permute(0, 3, 1, 2).expand(batch, -1, -1, -1), at, mode="bilinear", padding_mode="zeros", align_corners=False)
        local = sample(self.values[f"{branch}.localGrid"], v_l).permute(0, 2, 3, 1)
        everywhere = sample(self.values[f"{branch}.globalGrid"], v_g.reshape(batch, 1, 1, 2))
        return torch.cat([everywhere.reshape(batch, SIDE, SIDE, CHANNELS), local], -1)

    def decode(self, q, at, training):
        x = q @ self.values[f"{at}.in.weight"] if self.options["decoder"] == "tiny" else q
        for i in range(self.options["blocks"]):
            block = f"{at}.block{i}"
            if self.options["decoder"] == "basic":
                y = torch.relu(self.norm(self.conv3x3(x, f"{block}.conv1.weight"), f"{block}.norm1", training))
                x = torch.relu(self.norm(self.conv3x3(y, f"{block}.conv2.weight"), f"{block}.norm2", training) + x)
                continue
            y = F.hardswish(self.norm(x @ self.values[f"{block}.expand.weight"], f"{block}.norm1", training))
            y = self.norm(self.conv3x3(y, f"{block}.depthwise.weight", groups=y.shape[-1]), f"{block}.norm2", training)
            gate = torch.relu(y.mean((1, 2)) @ self.values[f"{block}.gate.reduce.weight"]) @ self.values[f"{block}.gate.expand.weight"]
            y = F.hardswish(y * F.hardsigmoid(gate)[:, None, None])
            x = self.norm(y @ self.values[f"{block}.project.weight"], f"{block}.norm3", training) + x
        return x @ self.values[f"{at}.out.weight"]

    def abnormal(self, a, noise, training):
        q = self.query("abnormal", self.codes(a, noise, "abnormal"))
        if self.options.get("standardise", True):
            q = (q - q.mean((1, 2), keepdim=True)) / torch.sqrt(q.var((1, 2), unbiased=True, keepdim=True) + 1e-5)
        return self.decode(q, "abnormal.decoder", training)

    def reconstruct(self, a, noise, training, abnormal_training):
        branches = self.options.get("branches", "both")
        if branches == "abnormal":
            return self.abnormal(a, noise, training)
        r = self.decode(self.query("normal", self.codes(a, noise, "normal")), "normal.decoder", training)
        if branches == "normal" or self.options.get("fusion") == "none":
            return r
        r_a = self.abnormal(a, noise, abnormal_training)
        fusion = self.options.get("fusion", "learned")
        if fusion == "lambda":
            share = self.options["lambda"]
            return share * r + (1 - share) * r_a
        return r + (r_a if fusion == "sum" else self.values["fusion.weight"] * r_a)

    def residual(self, a, r):
        layer = lambda x, n: x @ self.values[f"residual.layer{n}.weight"] + self.values[f"residual.layer{n}.bias"]
        return layer(F.hardswish(layer((r - a).abs() / self.values["residual.unit"], 1)), 2)[..., 0]


def reconstruction_loss(r, a):
    mse = ((r - a) ** 2).mean(-1)
    norms = torch.clamp(r.norm(dim=-1), min=1e-8) * torch.clamp(a.norm(dim=-1), min=1e-8)
    cos = (r * a).sum(-1) / norms
    has_room((mse - THRESHOLD).detach() / THRESHOLD)
    m = 1 - torch.round(torch.clamp(0.05 * mse.detach() * 10 / THRESHOLD, 0, 1))
    s = 0.3 * m + 0.7 * cos
    return ((1 - s) ** 2 * mse).mean()


def hinge_loss(d, mask):
    has_room((HINGE - d[mask == 1]).detach())
    has_room((HINGE + d[mask == 0]).detach())
    return F.relu(HINGE - d[mask == 1]).mean() + F.relu(HINGE + d[mask == 0]).mean()


def loss_of(model, stage, step):
    options = model.options
    if stage == "normal":
        a = features_of(step)
        return reconstruction_loss(model.reconstruct(a, noise_of(step), True, options.get("freeze") != "branch"), a)
    if stage == "residual":
        a = pasted(step)
        with torch.no_grad():
            r = model.reconstruct(a, None, False, False)
        return hinge_loss(model.residual(a, r), mask_of(step))
    r_a = model.abnormal(pasted(step), noise_of(step), True)
    if options.get("pairs") == "cosine":
        pairs, similar = pairs_of(step)
        rows = r_a.reshape(-1, CHANNELS)
        return hinge_loss(F.cosine_similarity(rows[pairs[:, 0]], rows[pairs[:, 1]], dim=1, eps=1e-8), similar)
    own = options.get("hingeHead") == "own"
    d = (r_a @ model.values["abnormal.hinge.weight"] + model.values["abnormal.hinge.bias"])[..., 0] if own else r_a[..., 0]
    return hinge_loss(d, mask_of(step))


def trained(stage, options, name):
    is_abnormal, is_grid = name.startswith("abnormal."), name.endswith("Grid")
    if stage == "residual" or name.startswith("residual."):
        return stage == "residual" and name.startswith("residual.")
    if stage == "abnormal":
        return is_abnormal or name.startswith("head.")
    return not is_abnormal or (options.get("freeze", "grids") == "grids" and not is_grid)


def stage_of(options, stage, whole):
    model = Model(options)
    chosen = {name: p for name, p in model.parameters.items() if trained(stage, options, name)}
    grids = [p for name, p in chosen.items() if name.endswith("Grid")]
    others = [p for name, p in chosen.items() if not name.endswith("Grid")]
    groups = [{"params": params, "lr": lr} for params, lr in ((grids, 0.1), (others, 0.003 if stage == "residual" else 0.001)) if params]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)
    losses, gradients = [], None
    for step in range(STEPS if whole else 1):
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(model, stage, step)
        loss.backward()
        losses.append(number(loss))
        if step == 0:
            describe = summary if whole else lambda g: number(g.norm())
            gradients = {name: None if p.grad is None else describe(p.grad) for name, p in sorted(chosen.items())}
        torch.nn.utils.clip_grad_norm_(list(chosen.values()), 0.1)
        optimizer.step()
    result = {"losses": losses, "gradients": gradients}
    if whole:
        result["after"] = {name: summary(v) for name, v in sorted(model.values.items())}
        with torch.no_grad():
            result["inference"] = summary(model.reconstruct(features_of(0), None, False, False))
    return result


def case_of(name, options):
    model = Model(options)
    result = {"name": name, "options": options}
    with torch.no_grad():
        result["reconstruction"] = summary(model.reconstruct(features_of(0), noise_of(0), True, True))
        if options.get("branches") != "normal":
            result["abnormal"] = summary(Model(options).abnormal(features_of(0), noise_of(0), True))
    stages = ["normal"] if options.get("branches") == "normal" else ["abnormal", "normal"]
    stages += ["residual"] if options.get("residualWeight", 0) > 0 else []
    result["stages"] = {stage: stage_of(options, stage, name in WHOLE or stage == "residual") for stage in stages}
    return result


golden = {
    "torch": torch.__version__,
    "sizes": {"batch": BATCH, "side": SIDE, "channels": CHANNELS, "localGrid": LOCAL, "globalGrid": GLOBAL},
    "cases": [case_of(name, options) for name, options in CASES.items()],
}
path = pathlib.Path(__file__).parent.parent.parent / "test/golden/grad.json"
path.write_text(json.dumps(golden, separators=(",", ":")).replace('{"name"', '\n{"name"') + "\n")
print(path, path.stat().st_size, "bytes")
