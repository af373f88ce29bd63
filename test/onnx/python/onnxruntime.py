"""Stands in for onnxruntime's Python package where there is none: what docs/onnx.md uses of it, on the library's Node package.

The file is read and checked by the onnx package, inputs are held against what it declares, and the same onnxruntime computes.
"""
import json
import pathlib
import subprocess
import types

import numpy as np
import onnx

BRIDGE = pathlib.Path(__file__).with_name("onnxruntime_bridge.mjs")


class InferenceSession:
    def __init__(self, path):
        self._path = path
        self._model = onnx.load(path)
        onnx.checker.check_model(self._model, full_check=True)

    def get_modelmeta(self):
        return types.SimpleNamespace(custom_metadata_map={entry.key: entry.value for entry in self._model.metadata_props})

    def get_outputs(self):
        return [types.SimpleNamespace(name=output.name) for output in self._model.graph.output]

    def run(self, output_names, input_feed):
        graph = self._model.graph
        assert set(output_names) <= {output.name for output in graph.output}, output_names
        assert set(input_feed) == {entry.name for entry in graph.input}, list(input_feed)
        [(name, array)] = input_feed.items()
        declared = graph.input[0].type.tensor_type
        assert array.dtype == onnx.mapping.TENSOR_TYPE_TO_NP_TYPE[declared.elem_type], array.dtype
        extents = [dim.dim_value or None for dim in declared.shape.dim]
        assert len(extents) == array.ndim and all(want in (None, got) for want, got in zip(extents, array.shape)), array.shape
        asked = json.dumps({"name": name, "shape": array.shape, "outputs": output_names})
        answer = subprocess.run(["node", BRIDGE, self._path, asked], input=np.ascontiguousarray(array).tobytes(), stdout=subprocess.PIPE, check=True)
        header, _, values = answer.stdout.partition(b"\n")
        results = []
        for shape in json.loads(header):
            count = int(np.prod(shape))
            results.append(np.frombuffer(values[: 4 * count], "<f4").reshape(shape))
            values = values[4 * count :]
        return results
