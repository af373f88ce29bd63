"""The rows of training.ts by PyTorch: a training step of GRAD's second stage, in f32 without and with TF32. Writes torch.json.

Layers, losses and optimiser are those of docs/methods/grad.md, as tools/golden/grad.py defines them, in channels-last layout as PyTorch is fast
at. Weights are random: only times count. Inference of the backbones is measured where torchvision is installed. Needs torch from 1.12 on.

    python3 torch_peer.py --out DIR --seconds 60 [--small] [--device cpu]
"""
import argparse
import json
import pathlib
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

SIDE, LOCAL, GLOBAL = 28, 8, 4  # cells; extents of the grids
TINY_WIDTH = 48
BLOCKS = {"tiny": 1, "mobile": 11, "basic": 9}
THRESHOLD, MAX_NORM = 10.0, 0.1
WARM_UPS, RUNS, MOST_SECONDS = 3, 20, 1.5


class Gate(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.reduce = nn.Linear(channels, channels // 4, bias=False)
        self.expand = nn.Linear(channels // 4, channels, bias=False)

    def forward(self, x):
        gate = F.hardsigmoid(self.expand(F.relu(self.reduce(x.mean((2, 3))))))
        return F.hardswish(x * gate[:, :, None, None])


class MobileBlock(nn.Module):
    def __init__(self, width, expanded):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(width, expanded, 1, bias=False),
            nn.BatchNorm2d(expanded),
            nn.Hardswish(),
            nn.Conv2d(expanded, expanded, 3, padding=1, groups=expanded, bias=False),
            nn.BatchNorm2d(expanded),
            Gate(expanded),
            nn.Conv2d(expanded, width, 1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, x):
        return self.layers(x) + x


class BasicBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width))

    def forward(self, x):
        return F.relu(self.second(self.first(x)) + x)


def decoder(kind, channels):
    width = TINY_WIDTH if kind == "tiny" else 2 * channels
    first = [nn.Conv2d(2 * channels, width, 1, bias=False)] if kind == "tiny" else []
    expanded = TINY_WIDTH if kind == "tiny" else 2 * width
    block = (lambda: BasicBlock(width)) if kind == "basic" else (lambda: MobileBlock(width, expanded))
    return nn.Sequential(*first, *[block() for _ in range(BLOCKS[kind])], nn.Conv2d(width, channels, 1, bias=False))


class Branch(nn.Module):
    def __init__(self, kind, channels):
        super().__init__()
        self.local_grid = nn.Parameter(torch.randn(1, channels, LOCAL, LOCAL))
        self.global_grid = nn.Parameter(torch.randn(1, SIDE * SIDE * channels, GLOBAL, GLOBAL))
        self.decoder = decoder(kind, channels)

    def query(self, at_global, at_local):
        batch, channels = at_local.shape[0], self.local_grid.shape[1]
        sample = lambda grid, at: F.grid_sample(grid, at, align_corners=False)
        # One grid for all images: their cells are the rows of one large image, which samples it without copies.
        local = sample(self.local_grid, at_local.reshape(1, batch * SIDE, SIDE, 2))
        local = local.reshape(channels, batch, SIDE, SIDE).transpose(0, 1)
        everywhere = sample(self.global_grid, at_global.reshape(1, batch, 1, 2))
        everywhere = everywhere[0, :, :, 0].t().reshape(batch, SIDE, SIDE, channels).permute(0, 3, 1, 2)
        return torch.cat([everywhere, local], 1).contiguous(memory_format=torch.channels_last)


class Grad(nn.Module):
    def __init__(self, kind, channels):
        super().__init__()
        head = lambda: nn.Sequential(nn.Linear(channels, channels), nn.Tanh(), nn.Linear(channels, 2), nn.Tanh())
        self.global_head, self.local_head = head(), head()
        self.normal, self.abnormal = Branch(kind, channels), Branch(kind, channels)
        self.fusion = nn.Parameter(torch.full((1,), -0.2))
        for grid in (self.abnormal.local_grid, self.abnormal.global_grid):  # trained in the first stage
            grid.requires_grad_(False)

    def forward(self, a):
        rows = a.permute(0, 2, 3, 1)
        at = self.global_head(rows.mean((1, 2))), self.local_head(rows)
        r = self.normal.decoder(self.normal.query(*at))
        q = self.abnormal.query(*at)
        q = (q - q.mean((2, 3), keepdim=True)) / torch.sqrt(q.var((2, 3), unbiased=True, keepdim=True) + 1e-5)
        return r + self.fusion * self.abnormal.decoder(q)


def reconstruction_loss(r, a):
    mse = ((r - a) ** 2).mean(1)
    m = 1 - torch.round(torch.clamp(0.05 * mse.detach() * 10 / THRESHOLD, 0, 1))
    s = 0.3 * m + 0.7 * F.cosine_similarity(r, a, dim=1)
    return ((1 - s) ** 2 * mse).mean()


def training_step(device, kind, channels, batch):
    model = Grad(kind, channels).to(device, memory_format=torch.channels_last)
    trained = [p for p in model.parameters() if p.requires_grad]
    grids = [p for name, p in model.named_parameters() if p.requires_grad and name.endswith("grid")]
    others = [p for name, p in model.named_parameters() if p.requires_grad and not name.endswith("grid")]
    optimizer = torch.optim.AdamW([{"params": grids, "lr": 0.1}, {"params": others, "lr": 0.001}])
    a = 24**0.5 * torch.randn(batch, channels, SIDE, SIDE, device=device).contiguous(memory_format=torch.channels_last)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = reconstruction_loss(model(a), a)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, MAX_NORM)
        optimizer.step()
        return loss

    return step


def inference(device, name, batch):
    import torchvision

    network = getattr(torchvision.models, name)(weights=None).features.eval().to(device, memory_format=torch.channels_last)
    images = torch.randn(batch, 3, 224, 224, device=device).contiguous(memory_format=torch.channels_last)

    def run():
        with torch.no_grad():
            return network(images).sum()

    return run


def timed(device, run):
    """Milliseconds of a run, from the call until the device is done, as training.ts takes them."""
    done = torch.cuda.synchronize if device == "cuda" else lambda: None
    for _ in range(WARM_UPS):
        last = run()
    assert torch.isfinite(last).all(), "a loss is not finite"
    done()
    times, start = [], time.perf_counter()
    while len(times) < RUNS and (not times or time.perf_counter() - start < MOST_SECONDS):
        before = time.perf_counter()
        run()
        done()
        times.append(1000 * (time.perf_counter() - before))
    times.sort()
    return {"least": times[0], "median": times[len(times) // 2], "runs": len(times)}


def rows_of(small):
    """Names as training.ts has them, and what makes the run."""
    if small:
        yield "tiny, 40 channels, normal, batch 1", lambda device: training_step(device, "tiny", 40, 1)
        return
    for batch in (1, 16):
        for channels in (216, 272):
            for kind in BLOCKS:
                make = lambda device, kind=kind, channels=channels, batch=batch: training_step(device, kind, channels, batch)
                yield f"{kind}, {channels} channels, normal, batch {batch}", make
    try:
        import torchvision  # noqa: F401
    except ImportError:
        print("no torchvision: backbones are not measured")
        return
    for name in ("efficientnet_b4", "efficientnet_b6"):
        for batch in (1, 16):
            yield f"features, {name}, batch {batch}", lambda device, name=name, batch=batch: inference(device, name, batch)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--device", default="cuda")
    options = parser.parse_args()
    began = time.perf_counter()
    torch.manual_seed(1)
    torch.backends.cudnn.benchmark = True
    result = {"torch": torch.__version__, "device": torch.cuda.get_device_name() if options.device == "cuda" else options.device, "rows": []}
    for name, make in rows_of(options.small):
        if time.perf_counter() - began > options.seconds:
            print(f"no time for {name}")
            continue
        row = {"name": name}
        for tf32 in (False, True):
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
            try:
                row["tf32" if tf32 else "f32"] = timed(options.device, make(options.device))
            except torch.cuda.OutOfMemoryError if hasattr(torch.cuda, "OutOfMemoryError") else MemoryError as error:
                row["error"] = str(error).split("\n")[0]
            if options.device == "cuda":
                torch.cuda.empty_cache()
        result["rows"].append(row)
        times = [f"{kind} {row[kind]['median']:.2f} ms" for kind in ("f32", "tf32") if kind in row]
        print(f"{name}: {', '.join(times) or row.get('error')}", flush=True)
        (options.out / "torch.json").write_text(json.dumps(result, indent=1) + "\n")


main()
