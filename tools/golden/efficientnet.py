"""Writes test/golden/efficientnet.json: outputs of torchvision's EfficientNets with made-up weights on a made-up image.

For each of the layers 1 to 5 the sum of squares and some elements. Padding "symmetric" is torchvision's own; for "same" and "same-static"
every convolution gets TensorFlow's padding, for the actual image or for the network's native size.
"""
import math

import torch

from made_up_network import image, network, summary, write

NATIVE = [224, 240, 260, 300, 380, 456, 528, 600]


class Padded(torch.nn.Conv2d):
    """A convolution with TensorFlow's padding."""

    def forward(self, x):
        k, s = self.kernel_size[0], self.stride[0]
        sides = []
        for n in (x.shape[3], x.shape[2]):
            native = self.native if self.native else n
            total = max((math.ceil(native / s) - 1) * s + k - native, 0)
            sides += [total // 2, total - total // 2]
        return torch.nn.functional.conv2d(torch.nn.functional.pad(x, sides), self.weight, self.bias, self.stride, 0, 1, self.groups)


def repad(net, padding, native):
    side = native
    for module in net.features.modules():
        if not isinstance(module, torch.nn.Conv2d) or module.kernel_size == (1, 1):
            continue
        module.__class__ = Padded
        module.native = side if padding == "same-static" else None
        side = math.ceil(side / module.stride[0])


STAGES = [1, 2, 3, 5, 7]  # of net.features, after which layers 1 to 5 end
cases = []
for index in range(8):
    for padding in ("symmetric", "same", "same-static"):
        if padding != "symmetric" and index not in (0, 4, 6):
            continue
        net, tensors = network(f"efficientnet_b{index}", lambda name: name.startswith("features.") and not name.startswith("features.8."))
        if padding != "symmetric":
            repad(net, padding, NATIVE[index])
        x = image()
        layers = []
        with torch.no_grad():
            for stage, module in enumerate(net.features[:8]):
                x = module(x)
                if stage in STAGES:
                    layers.append(summary(x))
        cases.append({"name": f"efficientnet-b{index}", "padding": padding, "tensors": tensors, "layers": layers})
write("efficientnet.json", cases)
