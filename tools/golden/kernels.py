"""Writes test/golden/kernels.json: outputs and gradients of every kernel by PyTorch, in float64.

    python3 tools/golden/kernels.py        (Debian: python3-torch, python3-torchvision)

Tensors are in this project's layout: images [N,H,W,C], weights [R,S,C/groups,K], depthwise weights [R,S,C], batch norm's
affine [2,C] (weight, bias) and running [2,C] (mean, variance). Inputs are multiples of 1/8 or 1/16: short in decimals and
exact in f32. They lie away from kinks, unless a kink is the case's purpose. Each case has its own seed, derived
from its name, so that adding a case does not change the numbers of others.

A case, one line of the file, holds
  op, why       the operation, and the purpose of the case
  inputs        tensors by name, in the order of the call
  arguments     arguments after the inputs; options: the last argument
  gradOutput    the output's cotangent
  output        the result; also: further results by name
  grads         gradients of the differentiable inputs, by name
  scale         if terms are larger than the result: the largest value of the same computation on absolute values
"""
import json
import math
import zlib

import torch
import torchvision
from torch.nn import functional as F
from torch.nn.utils import clip_grad_norm_
from torch.nn.utils.fusion import fuse_conv_bn_weights
from torchvision.transforms import functional as images
from torchvision.transforms.functional_tensor import _get_gaussian_kernel1d

assert torch.__version__.startswith("1.13."), f"written for torch 1.13, got {torch.__version__}"
torch.set_num_threads(1)  # sums in one order

cases = []

# ---- inputs: functions of the case's generator


def draw(*shape, unit=8, reach=1.0, nonzero=False):
    """Multiples of 1/unit, from -reach to reach."""

    def values(generator):
        steps = int(reach * unit)
        numbers = torch.randint(-steps, steps + 1, shape, generator=generator)
        if nonzero:
            numbers = torch.where(numbers == 0, steps, numbers)
        return numbers.double() / unit

    return values


def positive(*shape, unit=8, least=0.25, most=2.0):
    return lambda generator: torch.randint(int(least * unit), int(most * unit) + 1, shape, generator=generator).double() / unit


def odd(*shape, unit=16, reach=1.0):
    """Odd multiples of 1/unit: as coordinates in images of up to seven pixels they are never a pixel's centre or edge."""

    def values(generator):
        steps = int(reach * unit) // 2
        return (2 * torch.randint(-steps, steps, shape, generator=generator) + 1).double() / unit

    return values


def distinct(*shape, unit=16):
    """Different multiples of 1/unit about 0, in any order: no ties."""

    def values(generator):
        count = math.prod(shape)
        return (torch.randperm(count, generator=generator).double() - count // 2).reshape(shape) / unit

    return values


def given(numbers, *shape, dtype=torch.float64):
    return lambda generator: torch.tensor(numbers, dtype=dtype).reshape(shape or (-1,))


def words(*shape, below):
    return lambda generator: torch.randint(0, below, shape, generator=generator)


def affine(channels):
    return lambda generator: torch.stack([positive(channels)(generator), draw(channels)(generator)])


def running(channels):
    return lambda generator: torch.stack([draw(channels)(generator), positive(channels)(generator)])


# ---- cases


def number(value):
    value = float(f"{value:.9g}")
    assert math.isfinite(value), value
    return int(value) if value == int(value) and abs(value) < 1e9 else value


def numbers(tensor):
    return [number(value) for value in tensor.detach().reshape(-1).tolist()]


def described(tensor):
    return {"shape": list(tensor.shape), "dtype": "u32" if tensor.dtype == torch.int64 else "f32", "data": numbers(tensor)}


def run(call, tensors, wrt, cotangent):
    """(output, also, gradients), computed on new leaves."""
    leaves = {name: tensor.clone() for name, tensor in tensors.items()}
    for name in wrt:
        leaves[name].requires_grad_()
    result = call(leaves)
    output, also = result if isinstance(result, tuple) else (result, {})
    grads = torch.autograd.grad(output, [leaves[name] for name in wrt], cotangent(output)) if wrt else []
    return output, also, dict(zip(wrt, grads))


def case(op, why, inputs, call, *, arguments=(), options=None, wrt=None, absolute=None, scale=None):
    """
    Adds a case. call: tensors by name -> the output, or (output, further results). wrt: names of the differentiable inputs, all
    floats by default. absolute: the same computation to be run on absolute values for the scale; True for call itself.
    scale: tensors and gradOutput -> {"output": , "grads": {}}, where that is not how errors arise. By neither, the file has no
    scale, and that of a result is its largest value.
    """
    assert not any(c["op"] == op and c["why"] == why for c in cases), (op, why)
    generator = torch.Generator().manual_seed(zlib.crc32(f"{op}: {why}".encode()))
    tensors = {name: make(generator) for name, make in inputs.items()}
    assert all(torch.equal(tensor, tensor.float().to(tensor.dtype)) for tensor in tensors.values()), "inputs are exact in f32"
    wrt = [name for name, tensor in tensors.items() if tensor.dtype == torch.float64] if wrt is None else list(wrt)
    drawn = []

    def cotangent(output):
        drawn.append(draw(*output.shape, nonzero=True)(generator))
        return drawn[0]

    output, also, grads = run(call, tensors, wrt, cotangent)
    entry = {"op": op, "why": why, "inputs": {name: described(tensor) for name, tensor in tensors.items()}}
    if arguments:
        entry["arguments"] = list(arguments)
    if options:
        entry["options"] = options
    if wrt:
        entry["gradOutput"] = numbers(drawn[0])
    entry["output"] = described(output)
    if also:
        entry["also"] = {name: described(tensor) for name, tensor in also.items()}
    if wrt:
        entry["grads"] = {name: numbers(grad) for name, grad in grads.items()}
    if absolute is not None:
        magnitudes = {name: tensor.abs() for name, tensor in tensors.items()}
        large, _, large_grads = run(call if absolute is True else absolute, magnitudes, wrt, lambda _: drawn[0].abs())
        scale = {"output": large.max(), "grads": {name: grad.abs().max() for name, grad in large_grads.items()}}
    elif scale is not None:
        scale = scale(tensors, drawn[0])
    if scale is not None:
        largest = lambda value, want: number(max(float(value), float(want.abs().max())))
        entry["scale"] = {
            "output": largest(scale["output"], output),
            "grads": {name: largest(value, grads[name]) for name, value in scale["grads"].items()},
        }
    cases.append(entry)


# ---- this project's layout, and PyTorch's


def nchw(image):
    return image.permute(0, 3, 1, 2)


def nhwc(image):
    return image.permute(0, 2, 3, 1)


def oihw(weight):
    return weight.permute(3, 2, 0, 1)


def oihw_depthwise(weight):
    return weight.permute(2, 0, 1)[:, None]


def pair(value):
    return value if isinstance(value, (list, tuple)) else (value, value)


def sides(padding, extents, window, stride, dilation=1):
    """(top, bottom, left, right). "same": gives ceil(n / stride) pixels, an odd zero goes to the bottom and right."""
    if padding == "same":
        ends = []
        for n, k, s, d in zip(extents, pair(window), pair(stride), pair(dilation)):
            total = max((math.ceil(n / s) - 1) * s + d * (k - 1) + 1 - n, 0)
            ends += [total // 2, total - total // 2]
        return ends
    if isinstance(padding, int):
        return [padding] * 4
    return [padding[0], padding[0], padding[1], padding[1]] if len(padding) == 2 else padding


def padded(image, ends, value=0.0):
    top, bottom, left, right = ends
    return F.pad(image, (left, right, top, bottom), value=value)


# ---- functions of one variable


def hswish(x):
    # F.hardswish's own gradient was wrong at -3 and 3 until pytorch#148049.
    return x * F.relu6(x + 3) / 6


FUNCTIONS = {
    "relu": F.relu,
    "relu6": F.relu6,
    "hswish": hswish,
    "hsigmoid": F.hardsigmoid,
    "silu": F.silu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "gelu": F.gelu,
    "leakyRelu": F.leaky_relu,
    "sqrt": torch.sqrt,
    "exp": torch.exp,
    "log": torch.log,
    "abs": torch.abs,
    "square": torch.square,
}


def activate(x, name):
    if name is None:
        return x
    if isinstance(name, dict):
        return F.leaky_relu(x, name["slope"])
    return FUNCTIONS[name](x)


for name in FUNCTIONS:
    inputs = {"input": positive(2, 3, 5, least=0.125, most=6) if name in ("sqrt", "log") else odd(2, 3, 5, reach=8)}
    case("activation", f"{name}, away from kinks", inputs, lambda t: activate(t["input"], name), arguments=[name])

leaky = {"name": "leakyRelu", "slope": 0.25}
case("activation", "leakyRelu with a slope of its own", {"input": odd(4, 4)}, lambda t: activate(t["input"], leaky), arguments=[leaky])
for name, points in {
    "relu": [0],
    "relu6": [0, 6],
    "leakyRelu": [0],
    "hsigmoid": [-3, 3],
    "hswish": [-3, 0, 3],
    "abs": [0],
}.items():
    around = [p + d for p in points for d in (-0.125, 0, 0.125)]
    case("activation", f"{name} at its kinks", {"input": given(around)}, lambda t: activate(t["input"], name), arguments=[name])
for name in ("sigmoid", "tanh", "silu", "gelu"):
    far = [-80, -30, -12, 0, 12, 30, 80]
    case("activation", f"{name} where it is flat", {"input": given(far)}, lambda t: activate(t["input"], name), arguments=[name])

# ---- convolution


def convolution(options, weight_of, groups_of, plain=False):
    def call(t):
        image, weight = nchw(t["input"]), t["weight"]
        stride, dilation = pair(options.get("stride", 1)), pair(options.get("dilation", 1))
        ends = sides(options.get("padding", 0), image.shape[2:], weight.shape[:2], stride, dilation)
        output = F.conv2d(
            padded(image, ends), weight_of(weight), t.get("bias"), tuple(stride), dilation=tuple(dilation), groups=groups_of(image)
        )
        return activate(nhwc(output), None if plain else options.get("activation"))

    return call


def conv_case(why, shape, weight_shape, *, bias=False, **options):
    """A pure sum of products is exact here; an activation rounds, at the scale of the sum's terms (slopes are about 1)."""
    inputs = {"input": draw(*shape), "weight": draw(*weight_shape)}
    if bias:
        inputs["bias"] = draw(weight_shape[-1])
    arguments = (options, oihw, lambda image: options.get("groups", 1))
    case("conv2d", why, inputs, convolution(*arguments), options=options, absolute=convolution(*arguments, plain=True))


def depthwise_case(why, shape, window, *, bias=False, **options):
    inputs = {"input": draw(*shape), "weight": draw(*window, shape[-1])}
    if bias:
        inputs["bias"] = draw(shape[-1])
    arguments = (options, oihw_depthwise, lambda image: image.shape[1])
    case("depthwiseConv2d", why, inputs, convolution(*arguments), options=options, absolute=convolution(*arguments, plain=True))


conv_case("one channel, no options", (1, 5, 7, 1), (3, 3, 1, 1))
conv_case("three channels, bias, padding", (2, 4, 5, 3), (3, 3, 3, 5), bias=True, padding=1)
conv_case("packs of four channels", (1, 4, 5, 4), (3, 3, 4, 4), padding=1)
conv_case("stride 2, packs of four in, odd out", (2, 5, 6, 4), (3, 3, 4, 3), stride=2, padding=1)
rectangular = {"stride": [2, 1], "padding": [1, 0], "dilation": [1, 3]}
conv_case("stride, padding and dilation differ by axis, filter not square", (1, 7, 8, 3), (3, 2, 3, 2), **rectangular)
everything = {"stride": 2, "padding": [0, 1, 2, 1], "dilation": 2, "groups": 2}
conv_case("stride 2, dilation 2, groups 2, bias, asymmetric padding", (1, 7, 6, 4), (3, 3, 2, 6), bias=True, **everything)
conv_case("same: the odd pixel at the bottom and right", (1, 6, 8, 3), (3, 3, 3, 4), stride=2, padding="same")
conv_case("same: stride 3, dilation 2, even filter", (1, 7, 8, 2), (2, 4, 2, 3), stride=3, padding="same", dilation=2)
conv_case("same: no padding where the stride is the larger", (1, 5, 6, 3), (1, 2, 3, 2), stride=3, padding="same")
conv_case("1 x 1 with stride", (2, 5, 4, 3), (1, 1, 3, 4), stride=[2, 3])
conv_case("as many groups as channels, two filters each", (1, 4, 5, 3), (3, 3, 1, 6), padding=1, groups=3)
conv_case("groups in packs of four", (1, 3, 4, 8), (2, 2, 4, 8), groups=2, bias=True)
conv_case("filter larger than the image", (1, 3, 2, 2), (5, 5, 2, 3), padding=[2, 3])
conv_case("padding beyond the filter: outputs of the bias alone", (1, 2, 2, 1), (2, 2, 1, 3), bias=True, padding=3)
for name in ("relu", "relu6", "hswish", "hsigmoid", "silu", "sigmoid", "tanh", "gelu", "leakyRelu", leaky):
    label = name if isinstance(name, str) else "leakyRelu with a slope of its own"
    conv_case(f"epilogue: bias and {label}", (1, 3, 4, 3), (3, 3, 3, 4), bias=True, padding=1, activation=name)
conv_case("epilogue: activation without bias", (1, 3, 4, 4), (2, 2, 4, 3), activation="silu")

depthwise_case("one channel, no options", (2, 4, 5, 1), (3, 3))
depthwise_case("three channels, bias, padding", (1, 5, 4, 3), (3, 3), bias=True, padding=1)
depthwise_case("packs of four channels, stride 2", (1, 6, 7, 8), (3, 3), stride=2, padding=1)
depthwise_case("5 x 5, stride 2, same: the odd pixel at the bottom and right", (1, 8, 7, 4), (5, 5), bias=True, stride=2, padding="same")
depthwise_case("asymmetric padding, dilation 2", (1, 6, 5, 3), (3, 3), padding=[1, 2, 0, 3], dilation=2)
depthwise_case("stride, padding and dilation differ by axis", (1, 7, 8, 4), (2, 3), stride=[1, 2], padding=[1, 2], dilation=[3, 1])
depthwise_case("filter larger than the image", (1, 2, 3, 4), (5, 7), padding=[2, 3])
for name in ("hswish", "relu6", "gelu", leaky):
    label = name if isinstance(name, str) else "leakyRelu with a slope of its own"
    depthwise_case(f"epilogue: bias and {label}", (1, 4, 3, 4), (3, 3), bias=True, padding=1, activation=name)

# ---- matrix products


def product_case(op, why, inputs, product, **options):
    def call(t, plain=False):
        output = product(t)
        if "bias" in t:
            output = output + t["bias"]
        return activate(output, None if plain else options.get("activation"))

    case(op, why, inputs, call, options=options, absolute=lambda t: call(t, plain=True))


def matmul_case(why, groups, rows, depth, columns, *, bias=False, **options):
    flip_a, flip_b = options.get("transposeA", False), options.get("transposeB", False)
    inputs = {
        "a": draw(groups, *((depth, rows) if flip_a else (rows, depth))),
        "b": draw(groups, *((columns, depth) if flip_b else (depth, columns))),
    }
    if bias:
        inputs["bias"] = draw(columns)
    turned = lambda x, flip: x.mT if flip else x
    product_case("matmul", why, inputs, lambda t: torch.bmm(turned(t["a"], flip_a), turned(t["b"], flip_b)), **options)


matmul_case("one of everything", 1, 1, 1, 1)
matmul_case("extents that are multiples of nothing, batched", 3, 5, 7, 3)
matmul_case("packs of four", 2, 4, 8, 4)
matmul_case("transposed a", 2, 3, 5, 4, transposeA=True)
matmul_case("transposed b", 2, 3, 5, 4, transposeB=True)
matmul_case("both transposed, bias", 2, 4, 3, 5, bias=True, transposeA=True, transposeB=True)
matmul_case("epilogue: bias and gelu", 2, 3, 4, 5, bias=True, activation="gelu")
matmul_case("epilogue: hsigmoid, transposed b", 1, 3, 6, 4, activation="hsigmoid", transposeB=True)


def pointwise_case(why, shape, outputs, *, bias=False, **options):
    inputs = {"input": draw(*shape), "weight": draw(shape[-1], outputs)}
    if bias:
        inputs["bias"] = draw(outputs)
    product_case("pointwiseConv2d", why, inputs, lambda t: F.linear(t["input"], t["weight"].T), **options)


pointwise_case("an image", (2, 3, 2, 5), 3)
pointwise_case("rows, as a linear layer, with bias", (5, 3), 7, bias=True)
pointwise_case("one channel to four", (1, 3, 3, 1), 4, bias=True)
pointwise_case("epilogue: bias and hswish, packs of four", (1, 2, 3, 8), 4, bias=True, activation="hswish")
pointwise_case("epilogue: tanh", (1, 3, 2, 4), 2, activation="tanh")

# ---- norms


def norm_scale(over, weighted, correction, eps):
    """The terms of x' = (x - mean) / std and of its gradient, (g - mean g - x' mean(g x')) / std, without their signs."""

    def scale(t, g):
        x, g = t["input"], g.abs()
        weight, bias = (t["affine"][0], t["affine"][1]) if weighted else (torch.ones(()), torch.zeros(()))
        mean, variance = x.mean(over, keepdim=True), x.var(over, unbiased=correction == 1, keepdim=True)
        std = torch.sqrt(variance + eps)
        normal, g_in = (x.abs() + mean.abs()) / std, g * weight.abs()
        grads = {"input": ((g_in + g_in.mean(over, keepdim=True) + normal * (g_in * normal).mean(over, keepdim=True)) / std).max()}
        if weighted:
            leading = tuple(range(x.ndim - 1))
            grads["affine"] = torch.stack([(g * normal).sum(leading), g.sum(leading)]).max()
        return {"output": (weight.abs() * normal + bias.abs()).max(), "grads": grads}

    return scale


def channels_second(x):
    return x.reshape(-1, x.shape[-1])


def batch_norm_case(why, shape, **options):
    def call(t):
        mean, variance = t["running"].clone()
        weight, bias = t["affine"]
        momentum, eps = options.get("momentum", 0.1), options.get("eps", 1e-5)
        output = F.batch_norm(channels_second(t["input"]), mean, variance, weight, bias, True, momentum, eps)
        return output.reshape(shape), {"running": torch.stack([mean, variance])}

    inputs = {"input": draw(*shape), "affine": affine(shape[-1]), "running": running(shape[-1])}
    scale = norm_scale(tuple(range(len(shape) - 1)), True, 0, options.get("eps", 1e-5))
    case("batchNorm", why, inputs, call, options=options, wrt=["input", "affine"], scale=scale)


batch_norm_case("defaults, three channels", (2, 3, 4, 3))
batch_norm_case("packs of four, momentum and eps", (2, 2, 3, 4), momentum=0.25, eps=0.125)
batch_norm_case("one channel, rows", (7, 1), momentum=1)
batch_norm_case("two positions, running statistics left as they are", (2, 1, 1, 5), momentum=0, eps=0.001)


def inference(t, eps):
    weight, bias = t["affine"]
    mean, variance = t["running"]
    return F.batch_norm(channels_second(t["input"]), mean, variance, weight, bias, False, 0.0, eps).reshape(t["input"].shape)


def inference_case(why, shape, spread=None, **options):
    eps = options.get("eps", 1e-5)

    def scale(t, g):
        (weight, bias), (mean, variance), g = t["affine"].abs(), t["running"].abs(), g.abs()
        std = torch.sqrt(variance + eps)
        normal = (t["input"].abs() + mean) / std
        leading = tuple(range(len(shape) - 1))
        return {
            "output": (normal * weight + bias).max(),
            "grads": {"input": (g * weight / std).max(), "affine": torch.stack([(g * normal).sum(leading), g.sum(leading)]).max()},
        }

    inputs = {"input": draw(*shape), "affine": affine(shape[-1]), "running": spread or running(shape[-1])}
    case("batchNormInference", why, inputs, lambda t: inference(t, eps), options=options, wrt=["input", "affine"], scale=scale)


inference_case("defaults, three channels", (2, 2, 3, 3))
inference_case("packs of four, eps", (1, 3, 2, 8), eps=0.001)
inference_case("a running variance of zero", (1, 3, 3, 2), given([0.5, -0.25, 0, 1], 2, 2), eps=0.0625)


def fold_case(why, shape, turned, *, bias, **options):
    """A weight of [..., K]; turned: to PyTorch's axes and (by its inverse) back."""
    there, back = turned
    channels = shape[-1]
    inputs = {"weight": draw(*shape)}
    if bias:
        inputs["bias"] = draw(channels)
    inputs |= {"affine": affine(channels), "running": running(channels)}

    def call(t):
        (weight, shift), (mean, variance) = t["affine"], t["running"]
        folded, offset = fuse_conv_bn_weights(there(t["weight"]), t.get("bias"), mean, variance, options.get("eps", 1e-5), weight, shift)
        return back(folded), {"bias": offset}

    case("foldBatchNorm", why, inputs, call, options=options, wrt=[])


dense = (oihw, lambda w: w.permute(2, 3, 1, 0))
depthwise = (oihw_depthwise, lambda w: w[:, 0].permute(1, 2, 0))
fold_case("dense weight with bias", (3, 2, 3, 5), dense, bias=True)
fold_case("dense weight without bias, eps", (1, 1, 4, 4), dense, bias=False, eps=0.001)
fold_case("depthwise weight, without bias", (3, 3, 4), depthwise, bias=False)


def standardized(x, eps):
    mean = x.mean((1, 2), keepdim=True)
    return (x - mean) / torch.sqrt(x.var((1, 2), unbiased=True, keepdim=True) + eps)


for why, shape, options in (
    ("defaults, three channels", (2, 3, 4, 3), {}),
    ("packs of four, eps", (2, 2, 3, 4), {"eps": 0.0625}),
    ("one channel, two positions", (3, 1, 2, 1), {"eps": 0.25}),
):
    eps = options.get("eps", 1e-5)
    inputs = {"input": distinct(*shape)}  # equal values would leave only rounding errors, scaled up by 1 / sqrt(eps)
    case("standardize", why, inputs, lambda t: standardized(t["input"], eps), options=options, scale=norm_scale((1, 2), False, 1, eps))

for why, shape, weighted, options in (
    ("with weight and bias", (2, 3, 2, 5), True, {}),
    ("without, packs of four, eps", (3, 8), False, {"eps": 0.0625}),
    ("rows longer than the smallest workgroup", (2, 70), True, {"eps": 0.001}),
):
    eps = options.get("eps", 1e-5)

    def call(t):
        x = t["input"]
        parameters = (t["affine"][0], t["affine"][1]) if "affine" in t else (None, None)
        return F.layer_norm(x, x.shape[-1:], *parameters, eps)

    inputs = {"input": draw(*shape)}
    if weighted:
        inputs["affine"] = affine(shape[-1])
    case("layerNorm", why, inputs, call, options=options, scale=norm_scale((len(shape) - 1,), weighted, 0, eps))

# ---- squeeze and excitation


def squeeze_case(why, shape, inner, *, biases=(True, True), **options):
    channels = shape[-1]
    inputs = {"input": draw(*shape), "weight1": draw(channels, inner)}
    if biases[0]:
        inputs["bias1"] = draw(inner)
    inputs["weight2"] = draw(inner, channels)
    if biases[1]:
        inputs["bias2"] = draw(channels)

    def call(t, plain=False):
        x = t["input"]
        linear = lambda v, i: F.linear(v, t[f"weight{i}"].T, t.get(f"bias{i}"))
        hidden = activate(linear(x.mean((1, 2)), 1), None if plain else options.get("activation", "relu"))
        gate = activate(linear(hidden, 2), None if plain else options.get("gate", "sigmoid"))
        return x * gate[:, None, None]

    case("squeezeExcitation", why, inputs, call, options=options, absolute=lambda t: call(t, plain=True))


squeeze_case("defaults: relu and sigmoid", (2, 3, 2, 5), 3)
squeeze_case("as EfficientNet's: silu and sigmoid", (2, 2, 3, 8), 2, activation="silu")
squeeze_case("as MobileNetV3's: hsigmoid as the gate, no bias", (2, 3, 3, 4), 4, biases=(False, False), activation="relu", gate="hsigmoid")
squeeze_case("one channel, one bias, another activation", (3, 2, 2, 1), 1, biases=(True, False), activation="gelu", gate="tanh")

# ---- sampling


def sample_case(why, shape, places, *, kink=None, **options):
    """kink: the grid's numbers, for cases that test kinks."""

    def call(t):
        mode, padding = options.get("mode", "bilinear"), options.get("paddingMode", "zeros")
        return nhwc(F.grid_sample(nchw(t["input"]), t["grid"], mode, padding, options.get("alignCorners", False)))

    inputs = {"input": draw(*shape), "grid": odd(shape[0], *places, 2, reach=2.5) if kink is None else given(kink, shape[0], *places, 2)}
    _, height, width, _ = shape

    def scale(t, g):
        # A pixel of the input gathers from all samples; a sample's gradient is of slopes of up to 2 in half the extents.
        image, g = t["input"].abs().max(), g.abs()
        return {
            "output": image,
            "grads": {"input": g.sum((1, 2)).max(), "grid": 2 * image * g.sum(3).max() * max(height, width) / 2},
        }

    case("gridSample", why, inputs, call, options=options, scale=scale)


for mode in ("bilinear", "nearest"):
    for padding in ("zeros", "border", "reflection"):
        for align in (False, True):
            channels = {"zeros": (3, 4), "border": (4, 1), "reflection": (1, 3)}[padding][mode == "nearest"]
            corners = "corners aligned" if align else "corners not aligned"
            sample_case(f"{mode}, {padding}, {corners}", (2, 3, 5, channels), (3, 4), mode=mode, paddingMode=padding, alignCorners=align)
sample_case("defaults, in an image of 4 x 7", (1, 4, 7, 5), (2, 5))
sample_case("an image of one pixel, reflection", (1, 1, 1, 4), (2, 3), paddingMode="reflection")
sample_case("an image of one pixel, border, corners aligned", (1, 1, 1, 3), (2, 3), paddingMode="border", alignCorners=True)
at_pixels = [-1, -1, 0, 0, 1, 1, -0.5, 0.5, 1, -1, 0.5, 0]
for padding in ("zeros", "border", "reflection"):
    sample_case(f"{padding}, exactly at pixels and edges", (1, 5, 5, 3), (2, 3), kink=at_pixels, paddingMode=padding, alignCorners=True)
# Without align_corners four pixels are at -.75, -.25, .25, .75 and the edges between them at -.5, 0, .5.
between = [-1, -1, -0.75, -0.75, -0.5, -0.5, 0, 0, 0.5, 0.5, 0.75, 0.75, 1, 1, 1.25, -1.25]
for padding in ("zeros", "border", "reflection"):
    sample_case(f"bilinear, {padding}, exactly at pixels and outer edges", (1, 4, 4, 2), (2, 4), kink=between, paddingMode=padding)
    sample_case(f"nearest, {padding}, exactly between pixels", (1, 4, 4, 3), (2, 4), kink=between, mode="nearest", paddingMode=padding)


def resize_case(why, shape, size, **options):
    def call(t):
        mode = options.get("mode", "bilinear")
        align = options.get("alignCorners", False) if mode == "bilinear" else None
        return nhwc(F.interpolate(nchw(t["input"]), size, mode=mode, align_corners=align, antialias=options.get("antialias", False)))

    if options.get("mode") == "nearest":  # PyTorch multiplies by a rounded ratio: use sizes for which that has no effect
        for n, p in zip(shape[1:3], size):
            assert all(math.floor(i * (n / p)) == i * n // p for i in range(p))
    case("resize", why, {"input": draw(*shape)}, call, arguments=[list(size)], options=options, absolute=True)


for mode in ("bilinear", "nearest"):
    resize_case(f"{mode}, up, three channels", (2, 3, 4, 3), (7, 5), mode=mode)
    resize_case(f"{mode}, twice as large, packs of four", (1, 3, 2, 4), (6, 4), mode=mode)
    resize_case(f"{mode}, down without antialiasing, one channel", (1, 7, 9, 1), (3, 4), mode=mode)
    resize_case(f"{mode}, up one way and down the other", (1, 3, 8, 2), (5, 3), mode=mode)
    resize_case(f"{mode}, the same size", (1, 3, 4, 3), (3, 4), mode=mode)
resize_case("corners aligned, up", (1, 3, 4, 4), (6, 9), mode="bilinear", alignCorners=True)
resize_case("corners aligned, down", (1, 7, 8, 3), (3, 5), mode="bilinear", alignCorners=True)
resize_case("corners aligned, to one pixel", (1, 4, 5, 3), (1, 1), alignCorners=True)
resize_case("from one pixel", (1, 1, 1, 3), (3, 2), alignCorners=True)
resize_case("antialiased, down", (1, 9, 11, 3), (4, 3), mode="bilinear", antialias=True)
resize_case("antialiased, down by much, packs of four", (1, 13, 10, 4), (2, 1), antialias=True)
resize_case("antialiased, up one way and down the other, one channel", (1, 3, 10, 1), (5, 4), antialias=True)
resize_case("antialiased, up", (1, 3, 4, 3), (5, 7), antialias=True)


def blur_case(why, shape, **options):
    size, sigma, border = options["size"], options["sigma"], options.get("border", "reflect")

    def call(t):
        image, side = nchw(t["input"]), size // 2
        kernel = gaussian(size, sigma)
        mode = {"reflect": "reflect", "replicate": "replicate", "zeros": "constant"}[border]
        around = F.pad(image, (side, side, side, side), mode=mode)
        window = torch.outer(kernel, kernel).expand(image.shape[1], 1, size, size)
        output = F.conv2d(around, window, groups=image.shape[1])
        if border == "reflect":
            assert torch.allclose(output, images.gaussian_blur(image, [size, size], [sigma, sigma]), rtol=0, atol=1e-6)
        return nhwc(output)

    case("gaussianBlur", why, {"input": draw(*shape)}, call, options=options, absolute=True)


def gaussian(size, sigma):
    """torchvision's window in float64; torchvision computes it in f32."""
    x = torch.linspace(-(size - 1) / 2, (size - 1) / 2, size, dtype=torch.float64)
    density = torch.exp(-0.5 * (x / sigma) ** 2)
    window = density / density.sum()
    assert torch.allclose(window, _get_gaussian_kernel1d(size, sigma).double(), rtol=1e-5, atol=1e-7)
    return window


blur_case("defaults, three channels", (2, 4, 5, 3), size=3, sigma=0.75)
for border in ("reflect", "replicate", "zeros"):
    blur_case(f"{border}, packs of four, windows as large as reflection allows", (1, 4, 5, 4), size=7, sigma=1.5, border=border)
for border in ("replicate", "zeros"):
    blur_case(f"{border}, window larger than the image, one channel", (1, 2, 3, 1), size=9, sigma=2.25, border=border)
blur_case("a window of one pixel", (1, 3, 2, 3), size=1, sigma=1)

# ---- pooling


def average_pool(x, window, options):
    window, stride = pair(window), pair(options.get("stride", window))
    ends = sides(options.get("padding", 0), x.shape[1:3], window, stride)
    pooled = lambda image: F.avg_pool2d(padded(image, ends), tuple(window), tuple(stride))
    output = pooled(nchw(x))
    if not options.get("countIncludePad", True):
        output = output / pooled(torch.ones_like(nchw(x)[:1, :1]))
    elif not isinstance(options.get("padding", 0), list) and max(ends) <= min(window) // 2:
        assert torch.equal(output, F.avg_pool2d(nchw(x), tuple(window), tuple(stride), ends[0]))
    return nhwc(output)


def average_case(why, shape, window, **options):
    call = lambda t: average_pool(t["input"], window, options)
    case("averagePool", why, {"input": draw(*shape)}, call, arguments=[window], options=options, absolute=True)


average_case("windows that tile, three channels", (2, 4, 6, 3), 2)
average_case("windows that leave a rest, one channel", (1, 5, 7, 1), [2, 3])
average_case("overlapping, packs of four", (1, 5, 6, 4), 3, stride=1)
average_case("padding counts", (1, 5, 4, 3), 3, stride=2, padding=1)
average_case("padding does not count", (1, 5, 4, 3), 3, stride=2, padding=1, countIncludePad=False)
average_case("stride and padding differ by axis", (1, 6, 7, 2), [4, 3], stride=[3, 2], padding=[2, 1], countIncludePad=False)
average_case("windows apart: pixels that none sees", (1, 5, 5, 4), 1, stride=3)


def max_pool(x, window, options):
    window, stride = pair(window), pair(options.get("stride", window))
    ends = sides(options.get("padding", 0), x.shape[1:3], window, stride)
    return nhwc(F.max_pool2d(padded(nchw(x), ends, -math.inf), tuple(window), tuple(stride)))


def max_case(why, shape, window, values=None, **options):
    call = lambda t: max_pool(t["input"], window, options)
    case("maxPool", why, {"input": values or distinct(*shape)}, call, arguments=[window], options=options)


max_case("windows that tile, three channels", (2, 4, 6, 3), 2)
max_case("windows that leave a rest, one channel", (1, 5, 7, 1), [2, 3])
max_case("overlapping, packs of four", (1, 5, 6, 4), 3, stride=1)
max_case("padding, which never wins", (1, 5, 4, 3), 3, lambda generator: distinct(1, 5, 4, 3)(generator) - 8, stride=2, padding=1)
max_case("stride and padding differ by axis", (1, 6, 7, 2), [4, 3], stride=[3, 2], padding=[2, 1])
max_case("windows apart: pixels that none sees", (1, 5, 5, 4), 1, stride=3)
max_case("ties: the first of a window has the gradient", (1, 4, 5, 3), 3, draw(1, 4, 5, 3, unit=2, reach=0.5), stride=1)

for why, shape in (("three channels", (2, 3, 5, 3)), ("packs of four", (2, 3, 2, 8)), ("one channel, one pixel", (2, 1, 1, 1))):
    case("globalAveragePool", why, {"input": draw(*shape)}, lambda t: nhwc(F.adaptive_avg_pool2d(nchw(t["input"]), 1)), absolute=True)
    case("globalMaxPool", why, {"input": distinct(*shape)}, lambda t: nhwc(F.adaptive_max_pool2d(nchw(t["input"]), 1)))

# ---- losses and similarities


def reduced(values, options):
    return {"mean": torch.mean, "sum": torch.sum, "none": lambda v: v}[options.get("reduction", "mean")](values)


for reduction in ("mean", "sum", "none"):
    options = {"reduction": reduction}
    inputs = {"input": draw(2, 3, 2, 3), "target": draw(2, 3, 2, 3)}
    case("mseLoss", reduction, inputs, lambda t: F.mse_loss(t["input"], t["target"], reduction=reduction), options=options)


def refined(t, options):
    target, reconstruction = t["target"], t["reconstruction"]
    mse = ((reconstruction - target) ** 2).mean(-1)
    m = 1 - torch.round(torch.clamp(mse.detach() / (2 * options["threshold"]), 0, 1))
    assert torch.equal(m, (mse <= options["threshold"]).double())
    s = 0.3 * m + 0.7 * F.cosine_similarity(reconstruction, target, dim=-1, eps=1e-8)
    return reduced((1 - s) ** 2 * mse, options)


def refined_scale(options):
    """|1 - s| is at most 2, and 0.7 dcos/dr two terms of at most 0.7 / |r|: they err by that, even where they are small."""

    def scale(t, g):
        target, reconstruction = t["target"], t["reconstruction"]
        error, norm = (reconstruction - target).abs(), torch.linalg.vector_norm(reconstruction, dim=-1)
        mse = (error**2).mean(-1)
        terms = 8 * error.amax(-1) / error.shape[-1] + 4 * mse * 0.7 * 2 / norm
        share = 1 / mse.numel() if options["reduction"] == "mean" else 1
        return {"output": reduced(4 * mse, options).max(), "grads": {"reconstruction": (g.abs() * terms).max() * share}}

    return scale


def refined_case(why, target, reconstruction, **options):
    inputs = {"target": target, "reconstruction": reconstruction}
    scale = refined_scale(options)
    case("reconstructionLoss", why, inputs, lambda t: refined(t, options), options=options, wrt=["reconstruction"], scale=scale)


for why, shape, options in (
    ("mean, three channels", (2, 2, 3, 3), {"threshold": 2, "reduction": "mean"}),
    ("sum, packs of four", (1, 2, 3, 8), {"threshold": 2.5, "reduction": "sum"}),
    ("none, one channel", (2, 3, 2, 1), {"threshold": 1, "reduction": "none"}),
):
    refined_case(why, draw(*shape, reach=2, nonzero=True), draw(*shape, reach=2, nonzero=True), **options)
ones, about_one_off = given([1, 1, 1, 1, 1, 1], 3, 2), given([2, 0, 2.125, 0, 1.875, 0], 3, 2)
refined_case("an error of exactly the threshold counts as similar", ones, about_one_off, threshold=1, reduction="none")


def hinge(scores, mask, options):
    """Loss, and the shares beyond the threshold: 1 if there are no positions."""
    threshold, marked = options["threshold"], mask > 0.5
    short = F.relu(threshold - torch.where(marked, scores, -scores))
    share = lambda chosen: (short[chosen] == 0).double().mean() if chosen.any() else torch.ones((), dtype=torch.float64)
    hits = torch.stack([share(marked), share(~marked)])
    if options.get("reduction", "mean") == "mean":
        loss = sum((short[chosen].mean() for chosen in (marked, ~marked) if chosen.any()), torch.zeros((), dtype=torch.float64))
    else:
        loss = reduced(short, options)
    return loss, {"hits": hits}


def mask(*shape):
    return lambda generator: torch.randint(0, 2, shape, generator=generator).double()


def hinge_case(why, scores, marked, **options):
    inputs = {"scores": scores, "mask": marked}
    case("hingeLoss", why, inputs, lambda t: hinge(t["scores"], t["mask"], options), options=options, wrt=["scores"])


for reduction in ("mean", "sum", "none"):
    hinge_case(reduction, odd(2, 3, 5), mask(2, 3, 5), threshold=0.5, reduction=reduction)
on_the_edge = given([0.25, -0.25, 0.25, -0.25, 0, 0.5])
hinge_case("scores at the threshold: flat, and hits", on_the_edge, given([1, 0, 0, 1, 1, 1]), threshold=0.25)
hinge_case("nothing is marked", odd(7), given([0] * 7), threshold=0.25)


def pair_scale(options):
    """A shortfall is the threshold and a cosine of at most 1; a cosine's slope is of two terms of at most 1 / |v|."""

    def scale(t, g):
        pairs, least = t["pairs"], torch.linalg.vector_norm(t["features"], dim=-1).min()
        short = torch.full((len(pairs),), options["threshold"] + 1, dtype=torch.float64)
        counts = torch.bincount(pairs.reshape(-1)).max()
        return {"output": 2 * reduced(short, options).max(), "grads": {"features": counts * g.abs().max() * 2 / least}}

    return scale


def pair_loss(t, options):
    first, second = t["features"][t["pairs"][:, 0]], t["features"][t["pairs"][:, 1]]
    return hinge(F.cosine_similarity(first, second, dim=-1, eps=1e-8), t["similar"], options)[0]


def pair_case(why, features, pairs, similar, **options):
    inputs = {"features": features, "pairs": pairs, "similar": similar}
    case("cosinePairLoss", why, inputs, lambda t: pair_loss(t, options), options=options, wrt=["features"], scale=pair_scale(options))


for why, count, channels, options in (
    ("mean, three channels", 5, 3, {"threshold": 0.5, "reduction": "mean"}),
    ("sum, packs of four", 4, 4, {"threshold": 0.5, "reduction": "sum"}),
    ("none, five channels", 6, 5, {"threshold": 0.25, "reduction": "none"}),
):
    pair_case(why, draw(count, channels, nonzero=True), words(9, 2, below=count), mask(9), **options)
repeated = given([0, 1, 0, 1, 1, 0, 2, 2], 4, 2, dtype=torch.int64)
pair_case("a pair more than once, and a feature with itself", draw(3, 4, nonzero=True), repeated, given([1, 0, 1, 1]), threshold=1.5)

for why, shape, options in (
    ("three channels", (2, 3, 2, 3), {}),
    ("packs of four", (3, 8), {}),
    ("one channel", (5, 1), {}),
    ("norms below eps", (4, 3), {"eps": 2}),
):
    inputs = {"a": draw(*shape, nonzero=True), "b": draw(*shape, nonzero=True)}
    eps = options.get("eps", 1e-8)

    def call(t):
        a, b = t["a"], t["b"]
        norm = lambda v: torch.linalg.vector_norm(v, dim=-1).clamp_min(eps)
        output = (a * b).sum(-1) / (norm(a) * norm(b))
        assert torch.allclose(output, F.cosine_similarity(a, b, dim=-1, eps=eps), rtol=1e-12)
        return output

    def cosine_scale(t, g):
        norms = {name: torch.linalg.vector_norm(t[name], dim=-1, keepdim=True).clamp_min(eps) for name in "ab"}
        terms = lambda x, y: (g.abs()[..., None] * (t[y].abs() + t[x].abs() / norms[x] * norms[y]) / (norms[x] * norms[y])).max()
        return {"output": 1, "grads": {"a": terms("a", "b"), "b": terms("b", "a")}}

    case("cosineSimilarity", why, inputs, call, options=options, scale=cosine_scale)

for why, make in (
    ("three channels", draw(2, 3, 2, 3, nonzero=True)),
    ("packs of four", draw(3, 8)),
    ("of zeros: no gradient", given([0, 0, 0, 3, 0, -4], 2, 3)),
):
    case("l2Norm", why, {"input": make}, lambda t: torch.linalg.vector_norm(t["input"], dim=-1))

for why, shape, options in (("three channels", (2, 3, 2, 3), {}), ("packs of four", (3, 8), {}), ("norms below eps", (3, 5), {"eps": 8})):
    inputs = {"input": draw(*shape, nonzero=True)}

    def normalize_scale(t, g):
        norm = torch.linalg.vector_norm(t["input"], dim=-1, keepdim=True).clamp_min(options.get("eps", 1e-12))
        return {"output": (t["input"].abs() / norm).max(), "grads": {"input": ((g.abs() + g.abs().sum(-1, keepdim=True)) / norm).max()}}

    call = lambda t: F.normalize(t["input"], dim=-1, eps=options.get("eps", 1e-12))
    case("l2Normalize", why, inputs, call, options=options, scale=normalize_scale)

for why, make in (
    ("three channels", draw(2, 3, 2, 3, reach=4)),
    ("packs of four, values far apart", draw(3, 8, reach=30)),
    ("one channel", draw(4, 1)),
    ("values whose exponentials overflow", given([1000, 999, 998.5, -1000, -1001, -998], 2, 3)),
):
    scale = lambda t, g: {"output": 1, "grads": {"input": g.abs().max()}}
    case("softmax", why, {"input": make}, lambda t: torch.softmax(t["input"], -1), scale=scale)

# ---- elementwise, and along axes

BINARY = {
    "add": torch.add,
    "subtract": torch.sub,
    "multiply": torch.mul,
    "divide": torch.div,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
}
for name, function in BINARY.items():
    # Multiples of 1/8 and odd ones of 1/16 never tie.
    second = lambda *shape: positive(*shape) if name == "divide" else odd(*shape)
    for why, a, b in (
        ("equal shapes, odd", (3, 5), (3, 5)),
        ("equal shapes, packs of four", (2, 8), (2, 8)),
        ("channels to an image", (2, 3, 2, 3), (3,)),
        ("a spatial map to channels, both repeated", (2, 3, 2, 1), (2, 1, 1, 4)),
        ("one number to many", (1,), (2, 5)),
    ):
        call = lambda t: function(t["a"], t["b"])
        case(name, why, {"a": draw(*a), "b": second(*b)}, call, absolute=True if name == "divide" else None)
for name in ("maximum", "minimum"):
    tied = {"a": given([1, 2, 3, -1]), "b": given([1, 3, 2, -1])}
    case(name, "ties share the gradient", tied, lambda t: BINARY[name](t["a"], t["b"]))

for why, shape, to in (
    ("a row to an image", (3,), [2, 3, 2, 3]),
    ("an inner axis", (2, 1, 4), [2, 3, 4]),
    ("the same shape", (2, 5), [2, 5]),
):
    case("broadcastTo", why, {"input": draw(*shape)}, lambda t: t["input"].expand(to), arguments=[to])

REDUCTIONS = {
    "sum": lambda x, axes: x.sum(axes, keepdim=True),
    "mean": lambda x, axes: x.mean(axes, keepdim=True),
    "max": lambda x, axes: x.amax(axes, keepdim=True),
    "min": lambda x, axes: x.amin(axes, keepdim=True),
}
for name, reduction in REDUCTIONS.items():
    for why, shape, axes in (
        ("all axes", (2, 3, 5), [0, 1, 2]),
        ("the last", (3, 7), [1]),
        ("the first, packs of four", (5, 8), [0]),
        ("the inner two of an image", (2, 3, 4, 3), [1, 2]),
        ("axes that are not neighbours", (2, 3, 2, 5), [0, 2]),
        ("an axis of one element", (3, 1, 4), [1]),
    ):
        case(name, why, {"input": distinct(*shape)}, lambda t: reduction(t["input"], axes), arguments=[axes])
for name in ("max", "min"):
    tied = given([1, 2, 2, 0, 1, 0, -1, -1, 3, -1, 3, -1], 2, 6)  # of two and of four
    case(name, "ties share the gradient", {"input": tied}, lambda t: REDUCTIONS[name](t["input"], [1]), arguments=[[1]])

# ---- where elements go

for why, shapes, axis in (
    ("the last axis, odd", [(2, 3, 1), (2, 3, 3), (2, 3, 2)], 2),
    ("the last axis, packs of four", [(3, 4), (3, 8)], 1),
    ("the first", [(1, 3, 2), (2, 3, 2)], 0),
    ("an inner axis", [(2, 1, 5), (2, 2, 5), (2, 1, 5)], 1),
    ("one alone", [(2, 3)], 1),
):
    inputs = {f"input{i}": draw(*shape) for i, shape in enumerate(shapes)}
    case("concat", why, inputs, lambda t: torch.cat(list(t.values()), axis), arguments=[axis])

for why, shape, start, count, axis in (
    ("the last axis, odd", (3, 7), 2, 3, 1),
    ("the last axis, packs of four", (3, 12), 4, 4, 1),
    ("the first", (4, 3), 1, 2, 0),
    ("an inner axis, to its end", (2, 5, 3), 3, 2, 1),
):
    case("slice", why, {"input": draw(*shape)}, lambda t: t["input"].narrow(axis, start, count), arguments=[start, count, axis])

for why, shape, ends, value in (
    ("rows and columns of an image", (2, 2, 3, 3), [[0, 0], [1, 2], [0, 1], [0, 0]], 0),
    ("every axis, with a value", (2, 1, 3), [[1, 0], [0, 2], [2, 1]], -0.5),
    ("packs of four", (2, 4), [[0, 1], [4, 0]], 1.5),
    ("by nothing", (2, 3), [[0, 0], [0, 0]], 1),
):
    flat = [end for axis in reversed(ends) for end in axis]
    case("pad", why, {"input": draw(*shape)}, lambda t: F.pad(t["input"], flat, value=value), arguments=[ends, value])

for why, shape, order in (
    ("a matrix", (3, 5), [1, 0]),
    ("channels to the front", (2, 3, 2, 3), [0, 3, 1, 2]),
    ("a cycle of three axes, which is not its own inverse", (2, 3, 4), [2, 0, 1]),
    ("the last axis stays, packs of four", (2, 3, 4), [1, 0, 2]),
    ("nothing moves", (2, 3), [0, 1]),
):
    case("transpose", why, {"input": draw(*shape)}, lambda t: t["input"].permute(order), arguments=[order])

for why, shape, indices, axis in (
    ("rows, some more than once", (4, 3), [2, 0, 2, 2, 3], 0),
    ("columns", (2, 5), [4, 4, 1], 1),
    ("an inner axis, packs of four", (2, 3, 4), [2, 1, 2, 0], 1),
    ("one of many", (7, 1), [6], 0),
):
    inputs = {"input": draw(*shape), "indices": given(indices, dtype=torch.int64)}
    case("gather", why, inputs, lambda t: t["input"].index_select(axis, t["indices"]), arguments=[axis])

# 2049 and 2051 lie between two halves, as does 1 + 2^-11; 2^-24 is the least half, 65504 the largest.
halves = [0, 1, -1.5, 2049, 2051, -2049, 1 + 2**-11, 1 + 3 * 2**-11, 1 + 2**-12, 2**-24, 3 * 2**-25, 2**-14, 65504, 0.0999755859375]
for why, dtype, to in (("f16: to the nearest, halfway to even", "f16", torch.half), ("f32: as it was", "f32", torch.float)):
    case("cast", why, {"input": given(halves)}, lambda t: t["input"].to(to).double(), arguments=[dtype], wrt=[])

# ---- optimisers and schedules

OPTIMIZERS = {"AdamW": torch.optim.AdamW, "Adam": torch.optim.Adam, "Sgd": torch.optim.SGD}


def optimizer_case(op, why, learning_rates, *, scales=(1,) * 10, absent=None, maxNorm=None, **options):
    """
    Ten steps of two parameters, each a group, which are the results. Of each parameter the gradients of all steps are stacked in an
    input named after it. scales: of the learning rates, at each step. absent: by name, the steps at which a parameter has no gradient.
    """
    shapes = {"parameter0": (3, 5), "parameter1": (4,)}
    absent = absent or {}
    inputs = {name: draw(*shape) for name, shape in shapes.items()}
    inputs |= {f"{name}Grads": draw(10, *shape) for name, shape in shapes.items()}
    settings = {{"weightDecay": "weight_decay"}.get(name, name): value for name, value in options.items()}

    def call(t):
        parameters = {name: t[name].clone().requires_grad_() for name in shapes}
        optimizer = OPTIMIZERS[op]([{"params": [parameter]} for parameter in parameters.values()], lr=0.0, **settings)
        for step, scale in enumerate(scales):
            for (name, parameter), group, learning_rate in zip(parameters.items(), optimizer.param_groups, learning_rates):
                parameter.grad = None if step in absent.get(name, []) else t[f"{name}Grads"][step].clone()
                group["lr"] = learning_rate * scale
            if maxNorm is not None:
                clip_grad_norm_(parameters.values(), maxNorm)
            optimizer.step()
        first, second = (parameter.detach() for parameter in parameters.values())
        return first, {"parameter1": second}

    groups = [{"parameters": [name], "learningRate": learning_rate} for name, learning_rate in zip(shapes, learning_rates)]
    if maxNorm is not None:
        options = options | {"maxNorm": maxNorm}
    case(op, why, inputs, call, arguments=[groups, list(scales), absent], options=options, wrt=[])


learning_rates, changing = [0.125, 0.0625], (1, 1, 0.5, 1, 0.25, 1, 2, 1, 0.125, 1)
moments = {"betas": [0.75, 0.875], "eps": 0.0625}
for op in ("AdamW", "Adam"):
    optimizer_case(op, "defaults, two learning rates", learning_rates)
    optimizer_case(op, "other moments, weight decay, learning rates that change", learning_rates, scales=changing, weightDecay=0.25, **moments)
    optimizer_case(op, "clipped before weight decay is added", learning_rates, maxNorm=0.5, eps=0.125, weightDecay=0.5)
    optimizer_case(op, "without weight decay, clipped only where the norm is larger", learning_rates, maxNorm=2.5, eps=0.125, weightDecay=0)
    optimizer_case(op, "a parameter that has no gradient at some steps", learning_rates, absent={"parameter0": [0, 3, 4]}, maxNorm=2, eps=0.125)
optimizer_case("Sgd", "defaults, two learning rates", learning_rates)
optimizer_case("Sgd", "momentum, learning rates that change", learning_rates, scales=changing, momentum=0.75)
optimizer_case("Sgd", "Nesterov's momentum, weight decay", learning_rates, momentum=0.875, nesterov=True, weightDecay=0.25)
optimizer_case("Sgd", "clipped only where the norm is larger", learning_rates, maxNorm=2.5, momentum=0.5)
optimizer_case("Sgd", "a parameter that has no gradient at some steps", learning_rates, absent={"parameter1": [0, 5, 9]}, momentum=0.5)


def schedule_case(op, why, make, epochs, options):
    """The output: the learning rate's factor in each epoch."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    schedule = make(optimizer)
    factors = []
    for _ in range(epochs):
        factors.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    case(op, why, {}, lambda t: torch.tensor(factors, dtype=torch.float64), options=options)


steps = torch.optim.lr_scheduler.StepLR
cosine = torch.optim.lr_scheduler.CosineAnnealingLR
schedule_case("stepLearningRate", "every four epochs", lambda o: steps(o, 4, 0.1), 14, {"every": 4, "factor": 0.1})
schedule_case("stepLearningRate", "every epoch", lambda o: steps(o, 1, 0.75), 9, {"every": 1, "factor": 0.75})
schedule_case("cosineLearningRate", "to nothing", lambda o: cosine(o, 10), 11, {"epochs": 10, "least": 0})
schedule_case("cosineLearningRate", "to a tenth", lambda o: cosine(o, 7, 0.1), 8, {"epochs": 7, "least": 0.1})

# ---- selection and counting

for why, shape, k in (
    ("of rows", (3, 7), 3),
    ("of an image's last axis", (2, 3, 8), 2),
    ("all of them", (2, 5), 5),
    ("the largest alone", (4, 9), 1),
    ("of one", (3, 1), 1),
):
    case("topKMean", why, {"input": distinct(*shape)}, lambda t: t["input"].topk(k, -1).values.mean(-1), arguments=[k])

for why, make, options in (
    ("bins of a quarter, values at their edges and outside", draw(5, 13, reach=1.5), {"bins": 8, "low": -1, "high": 1}),
    ("seven bins, of an image", draw(2, 5, 3, 3, unit=16, reach=2), {"bins": 7, "low": -1, "high": 2.5}),
    ("bins whose edges are no binary fractions", positive(91, unit=16, least=0, most=1), {"bins": 5, "low": 0, "high": 1}),
    ("one bin", draw(17), {"bins": 1, "low": -0.5, "high": 0.5}),
    ("the ends belong to the first and the last bin", given([-1, 1, 1, -1, -1.0625, 1.0625]), {"bins": 3, "low": -1, "high": 1}),
):
    call = lambda t: torch.histc(t["input"], options["bins"], options["low"], options["high"]).long()
    case("histogram", why, {"input": make}, call, options=options, wrt=[])

for why, count in (("a few", 7), ("more than a workgroup", 300), ("one", 1)):
    call = lambda t: F.pad(torch.cumsum(t["input"], 0), (1, 0))  # with the total at the end
    case("exclusiveScan", why, {"input": words(count, below=9)}, call, wrt=[])

with open("test/golden/kernels.json", "w") as file:
    line = lambda value: json.dumps(value, separators=(",", ":"))
    versions = {"torch": torch.__version__, "torchvision": torchvision.__version__}
    file.write('{"versions":' + line(versions) + ',"cases":[\n' + ",\n".join(map(line, cases)) + "\n]}\n")
