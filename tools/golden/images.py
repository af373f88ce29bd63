"""Writes test/golden/images.json: small pictures resized by Pillow with BILINEAR, which antialiases.

Run with a Python that has Pillow (its version is recorded in the file); tests read only the file.
"""
import json
import pathlib

import PIL
from PIL import Image

SIZES = [((37, 23), (10, 8)), ((5, 4), (17, 16)), ((9, 6), (9, 6)), ((1, 30), (8, 8)), ((64, 48), (7, 7)), ((12, 31), (12, 5)), ((30, 7), (11, 7))]


def pixels(width, height):
    """Reproducible bytes: the high bits of a linear congruential generator."""
    state, values = width * 1000 + height, []
    for _ in range(3 * width * height):
        state = (1103515245 * state + 12345) % 2**31
        values.append(state >> 23)
    return bytes(values)


cases = []
for (width, height), (out_width, out_height) in SIZES:
    image = Image.frombytes("RGB", (width, height), pixels(width, height))
    resized = image.resize((out_width, out_height), Image.BILINEAR)
    cases.append({"width": width, "height": height, "outWidth": out_width, "outHeight": out_height, "rgb": list(resized.tobytes())})

path = pathlib.Path(__file__).parent.parent.parent / "test/golden/images.json"
lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
path.write_text('{"pillow":"%s","cases":[\n%s\n]}\n' % (PIL.__version__, lines))
