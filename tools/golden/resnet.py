"""Writes test/golden/resnet.json: outputs of torchvision's ResNets with made-up weights on a made-up image.

Of each of the layers 1 to 4 the sum of squares and some elements.
"""
import torch

from made_up_network import image, network, summary, write

cases = []
for name in ("resnet18", "resnet50", "wide_resnet50_2"):
    net, tensors = network(name, lambda name: not name.startswith("fc."))
    layers = []
    with torch.no_grad():
        x = net.maxpool(net.relu(net.bn1(net.conv1(image()))))
        for layer in (net.layer1, net.layer2, net.layer3, net.layer4):
            x = layer(x)
            layers.append(summary(x))
    cases.append({"name": name.replace("_", "-"), "tensors": tensors, "layers": layers})
write("resnet.json", cases)
