# Stands in for the package safetensors where it is not installed: as much of it as docs/model_file.md's program uses.
import json
from types import SimpleNamespace


class safe_open:
    def __init__(self, path, framework):
        with open(path, "rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        self._texts = header.pop("__metadata__")
        self._tensors = header

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def metadata(self):
        return self._texts

    def keys(self):
        return self._tensors.keys()

    def get_tensor(self, name):
        return SimpleNamespace(shape=tuple(self._tensors[name]["shape"]))
