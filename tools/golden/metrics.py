"""Writes test/golden/metrics.json: metrics by scikit-learn and scikit-image (Debian: python3-sklearn, python3-skimage).

    python3 tools/golden/metrics.py
"""
import json
from fractions import Fraction

import numpy as np
from skimage.measure import label
from sklearn.metrics import auc, average_precision_score, precision_recall_curve, roc_auc_score

random = np.random.RandomState(7)


def ranked(scores, labels):
    precision, recall, _ = precision_recall_curve(labels, scores)
    with np.errstate(invalid="ignore"):
        f1 = np.nan_to_num(2 * precision * recall / (precision + recall))
    return {
        "auroc": roc_auc_score(labels, scores),
        "averagePrecision": average_precision_score(labels, scores),
        "f1Max": float(f1.max()),
    }


def ranking_case(name, scores, labels):
    scores = np.asarray(scores, np.float32)
    return {
        "name": name,
        "scores": [float(s) for s in scores],
        "labels": [int(l) for l in labels],
        **ranked(scores, labels),
        "f1Threshold": f1_threshold(scores, np.asarray(labels)),
    }


def f1_threshold(scores, labels):
    """The highest threshold that reaches the largest F1, in exact arithmetic."""
    positive = labels != 0

    def f1(threshold):
        chosen = scores >= threshold
        return Fraction(2 * int(np.sum(chosen & positive)), int(np.sum(chosen) + np.sum(positive)))

    return float(max(np.unique(scores), key=lambda threshold: (f1(threshold), threshold)))


def aupro(maps, masks, limit):
    """Directly from the definition: every distinct value is a threshold, every 8-connected region counts equally."""
    regions = []
    for index, mask in enumerate(masks):
        labels = label(mask, connectivity=2)
        regions += [(index, labels == k) for k in range(1, labels.max() + 1)]
    good = np.concatenate([m[mask == 0] for m, mask in zip(maps, masks)])
    points = [(0.0, 0.0)]
    for threshold in np.unique(np.concatenate([m.ravel() for m in maps]))[::-1]:
        rate = np.mean(good >= threshold)
        overlap = np.mean([np.mean(maps[i][region] >= threshold) for i, region in regions])
        points.append((rate, overlap))
    rates, overlaps = np.array(points).T
    inside = rates <= limit
    at_limit = overlaps[inside][-1]
    if not inside.all():
        x0, x1 = rates[inside][-1], rates[~inside][0]
        y0, y1 = overlaps[inside][-1], overlaps[~inside][0]
        at_limit = y0 + (y1 - y0) * (limit - x0) / (x1 - x0)
    return auc(np.append(rates[inside], limit), np.append(overlaps[inside], at_limit)) / limit


def aupro_case(name, count, levels, height=16, width=20):
    maps, masks = [], []
    for _ in range(count):
        mask = np.zeros((height, width), np.uint8)
        for _ in range(random.randint(0, 4)):
            y, x = random.randint(0, height - 3), random.randint(0, width - 4)
            mask[y : y + random.randint(1, 4), x : x + random.randint(1, 5)] = 1
        if random.rand() < 0.5:  # two pixels that touch at a corner are one region
            mask[height - 2, 3] = mask[height - 1, 4] = 1
        values = random.rand(height, width) + 0.4 * mask
        maps.append(np.asarray(np.floor(values * levels) / levels, np.float32))
        masks.append(mask)
    return pixel_case(name, maps, masks)


def pixel_case(name, maps, masks):
    maps, masks = [np.asarray(m, np.float32) for m in maps], [np.asarray(m, np.uint8) for m in masks]
    height, width = masks[0].shape
    return {
        "name": name,
        "width": width,
        "height": height,
        "maps": [[float(v) for v in m.ravel()] for m in maps],
        "masks": [[int(v) for v in m.ravel()] for m in masks],
        **ranked(np.concatenate([m.ravel() for m in maps]), np.concatenate([m.ravel() for m in masks])),
        "aupro": aupro(maps, masks, 0.3),
        "aupro05": aupro(maps, masks, 0.05),
        "aupro1": aupro(maps, masks, 1.0),
    }


def regions_case(density):
    mask = (random.rand(17, 23) < density).astype(np.uint8)
    return {
        "width": 23,
        "height": 17,
        "mask": [int(v) for v in mask.ravel()],
        "labels": [int(v) for v in label(mask, connectivity=2).ravel()],
    }


ranking_cases = [
    ranking_case("no ties", random.rand(40), random.rand(40) < 0.4),
    ranking_case("many ties", np.floor(random.rand(80) * 6) / 8, random.rand(80) < 0.5),
    ranking_case("one positive among many", random.rand(60), np.arange(60) == 17),
    ranking_case("all scores equal", np.full(12, 0.25), np.arange(12) % 3 == 0),
    ranking_case("worse than guessing", -np.arange(30), np.arange(30) > 20),
    ranking_case("negative scores, and zero of both signs", [-1.5, -0.0, 0.0, 2, -3, 0.0], [0, 1, 0, 1, 0, 1]),
]
aupro_cases = [aupro_case("few ties", 3, 1 << 10), aupro_case("many ties", 4, 8), aupro_case("two levels", 2, 2)]
imbalanced = np.arange(400) % 200 == 7
ranking_cases += [
    ranking_case("two positives among four hundred", np.floor((random.rand(400) + 0.3 * imbalanced) * 64) / 64, imbalanced),
    ranking_case("two negatives among sixty", random.rand(60), np.arange(60) % 30 > 0),
]
aupro_cases += [aupro_case("a square image", 2, 64, 24, 24)]

tied = np.floor(random.rand(50) * 3)
ranking_cases += [
    ranking_case("ties everywhere: no score occurs once", np.concatenate([tied, tied]), random.rand(100) < 0.3),
    ranking_case("a single positive, tied with a negative", [3, 2, 2, 1, 0], [0, 1, 0, 0, 0]),
    ranking_case("a single positive below all others", np.arange(20, 0, -1), np.arange(20) == 19),
    ranking_case("a single negative among ties", [1, 1, 1, 0, 2], [1, 1, 0, 1, 1]),
    ranking_case("scores of all magnitudes", 10.0 ** random.randint(-30, 30, 70) * random.choice([-1, 1], 70), random.rand(70) < 0.5),
]


def steps(levels, height=12, width=14):
    return np.floor(random.rand(height, width) * levels) / levels


corners = np.zeros((12, 14), int)  # one region of single pixels that touch at their corners, and one pixel apart
for i in range(6):
    corners[i, 2 + (i % 2)] = corners[5 + i, 13 - i] = 1
several = np.zeros((12, 14), int)
several[1:3, 1:4] = several[1:9, 8] = several[10, 1:6] = several[5, 5] = several[11, 13] = 1
single = np.zeros((12, 14), int)
single[0, 13] = 1
whole, none = np.ones((12, 14), int), np.zeros((12, 14), int)
aupro_cases += [
    pixel_case("regions of pixels that touch at corners", [steps(16) + 0.3 * corners, steps(16)], [corners, none]),
    pixel_case("five regions in a mask, and more in another", [steps(10) + 0.2 * several, steps(10)], [several, corners + several > 0]),
    pixel_case("all values equal", [np.full((12, 14), 0.5), np.full((12, 14), 0.5)], [several, none]),
    pixel_case("a single defective pixel", [steps(7), steps(7)], [single, none]),
    pixel_case("an image that is one defect, and a good one", [steps(9) + 0.25, steps(9)], [whole, none]),
    pixel_case("worse than guessing, with negative values", [-steps(12) - 0.5 * several, -steps(12)], [several, none]),
]

cases = {
    "ranking": ranking_cases,
    "aupro": aupro_cases,
    "regions": [regions_case(density) for density in (0.1, 0.35, 0.6)],
}

with open("test/golden/metrics.json", "w") as file:
    json.dump(cases, file, separators=(",", ":"))
    file.write("\n")
