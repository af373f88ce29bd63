"""Shared by the scripts of golden files: numbers that the tests compute too, and summaries of tensors instead of all elements."""
import numpy as np
import torch

SAMPLES, PROBE_KEY = 12, 9000


def uniform(count, key):
    """Numbers in [-1, 1) by a hash of (key, index); the same in test/harness/made_up_network.ts."""
    x = np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B9) + np.uint32(key)
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x21F0AAAD)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0x735A2D97)
    x = x ^ (x >> np.uint32(15))
    return (x >> np.uint32(8)).astype(np.float64) / 2**23 - 1


def summary(t):
    flat = t.detach().reshape(-1)
    count = flat.numel()
    probe = torch.from_numpy(uniform(count, PROBE_KEY))
    return {
        "norm": number(flat.norm()),
        "probe": number((flat * probe).sum()),
        "samples": [number(flat[(j * 7919) % count]) for j in range(min(SAMPLES, count))],
    }


def number(x):
    return float(f"{float(x):.9g}")
