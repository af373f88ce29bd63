"""Shared by the scripts of golden files: numbers by a hash that the tests compute too (test/harness/made_up_network.ts), so that the files
hold only results, and the summary of a tensor (test/harness/summaries.ts)."""
import numpy as np
import torch

SAMPLES = 12
PROBE_KEY = 9000


def uniform(count, key):
    """Numbers in [-1, 1) by a hash of (key, index)."""
    x = np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B9) + np.uint32(key)
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x21F0AAAD)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0x735A2D97)
    x = x ^ (x >> np.uint32(15))
    return (x >> np.uint32(8)).astype(np.float64) / 2**23 - 1


def tensor(shape, key):
    """As the tests can store it: f32 values, in float64."""
    return torch.from_numpy(uniform(int(np.prod(shape)), key)).reshape(shape)


def number(x):
    return float(f"{float(x):.9g}")


def summary(t):
    """The norm of a tensor, its product with a fixed one, and some of its elements."""
    flat = t.detach().reshape(-1)
    count = flat.numel()
    probe = torch.from_numpy(uniform(count, PROBE_KEY))
    return {
        "norm": number(flat.norm()),
        "probe": number((flat * probe).sum()),
        "samples": [number(flat[(j * 7919) % count]) for j in range(min(SAMPLES, count))],
    }


def has_room(margin, least=2e-5):
    """Asserts that no decision hangs on the rounding of f32."""
    assert float(margin.abs().min()) > least, float(margin.abs().min())
