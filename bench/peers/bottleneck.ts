// Float64 definition of MobileNetV3's bottleneck with a loss behind it, and the gradients of its parameters by the
// chain rule, from the definitions of its parts:
//   h = hswish(norm(image expand));  h = hswish(norm(depthwise(h)));  h = h gate(mean(h));  y = image + norm(h project)
//   loss = mean((y - target)^2), norm with the batch's statistics, gate(z) = hsigmoid(relu(z reduce + b) excite + b')
import { backward as slopes, DEFINITIONS, forward as apply, type Definition } from "../../test/reference/activation.ts";
import * as norm from "../../test/reference/batch_norm.ts";
import * as depthwise from "../../test/reference/depthwise_conv2d.ts";
import * as matmul from "../../test/reference/matmul.ts";
import type { Input, Inputs } from "./input.ts";

type Numbers = ArrayLike<number>;

export interface Extents {
  readonly side: number;
  readonly channels: number;
  readonly expanded: number;
  readonly squeezed: number;
}

export const BOTTLENECK: Extents = { side: 28, channels: 272, expanded: 864, squeezed: 216 };
export const NORM_EPS = 1e-3;

/** Parameters in the order of their gradients. The affine ones are `[2, C]`: weight and bias. */
export function bottleneckParameters(
  draw: (shape: readonly number[], seed: number, scale: number) => Input,
  { channels, expanded, squeezed }: Extents = BOTTLENECK,
) {
  const affine = (count: number): Input => ({
    shape: [2, count],
    data: Float32Array.from({ length: 2 * count }, (_, i) => (i < count ? 1 : 0)),
  });
  return {
    expand: draw([channels, expanded], 23, 0.1),
    expandNorm: affine(expanded),
    depthwise: draw([3, 3, expanded], 24, 0.3),
    depthwiseNorm: affine(expanded),
    reduce: draw([expanded, squeezed], 25, 0.05),
    reduceBias: draw([squeezed], 26, 0.1),
    excite: draw([squeezed, expanded], 27, 0.05),
    exciteBias: draw([expanded], 28, 0.1),
    project: draw([expanded, channels], 29, 0.05),
    projectNorm: affine(channels),
  };
}

const { hsigmoid, hswish, relu } = DEFINITIONS;

/** x W + b over rows, and a function for its gradients. */
function linear(input: Numbers, weight: Input, bias: Numbers | null) {
  const [k, n] = weight.shape as [number, number];
  const problem = { batch: 1, m: input.length / k, n, k };
  const output = matmul.forward(problem, input, weight.data, bias ?? new Float64Array(n));
  return {
    output,
    backward: (grad: Numbers) =>
      matmul.backward(problem, input, weight.data, grad) as [Float64Array, Float64Array, Float64Array],
  };
}

/** norm(x) weight + bias over rows. */
function batchNorm(input: Numbers, { data, shape }: Input) {
  const channels = shape[1]!;
  const problem = { groups: 1, extent: input.length / channels, channels, eps: NORM_EPS, correction: 0 } as const;
  const normalised = norm.normalised(problem, input);
  const output = normalised.map((value, i) => value * data[i % channels]! + data[channels + (i % channels)]!);
  const backward = (grad: Float64Array) => {
    const gradAffine = new Float64Array(2 * channels);
    grad.forEach((g, i) => {
      gradAffine[i % channels]! += g * normalised[i]!;
      gradAffine[channels + (i % channels)]! += g;
    });
    return [
      norm.backward(
        problem,
        input,
        grad.map((g, i) => g * data[i % channels]!),
      ),
      gradAffine,
    ] as const;
  };
  return { output, backward };
}

function activated(input: Numbers, definition: Definition) {
  return { output: apply(definition, input), backward: (grad: Numbers) => slopes(definition, input, grad) };
}

function forward(inputs: Inputs) {
  const of = (name: string): Input => inputs[name]!;
  const [, height, width] = of("image").shape as [number, number, number, number];
  const expanded = of("expand").shape[1]!;
  const geometry = {
    batch: 1,
    height,
    width,
    channels: expanded,
    window: [3, 3],
    stride: [1, 1],
    dilation: [1, 1],
    padding: [1, 1, 1, 1],
  } as const;
  const image = of("image").data;

  const expand = linear(image, of("expand"), null);
  const expandNorm = batchNorm(expand.output, of("expandNorm"));
  const first = activated(expandNorm.output, hswish);
  const filtered = depthwise.forward(geometry, first.output, of("depthwise").data);
  const depthwiseNorm = batchNorm(filtered, of("depthwiseNorm"));
  const second = activated(depthwiseNorm.output, hswish);
  const means = new Float64Array(expanded);
  second.output.forEach((value, i) => (means[i % expanded]! += value / (height * width)));
  const reduce = linear(means, of("reduce"), of("reduceBias").data);
  const hidden = activated(reduce.output, relu);
  const excite = linear(hidden.output, of("excite"), of("exciteBias").data);
  const gate = activated(excite.output, hsigmoid);
  const gated = second.output.map((value, i) => value * gate.output[i % expanded]!);
  const project = linear(gated, of("project"), null);
  const projectNorm = batchNorm(project.output, of("projectNorm"));
  const error = projectNorm.output.map((value, i) => value + image[i]! - of("target").data[i]!);
  const loss = error.reduce((sum, e) => sum + e * e, 0) / error.length;
  const stages = {
    expand,
    expandNorm,
    first,
    depthwiseNorm,
    second,
    reduce,
    hidden,
    excite,
    gate,
    project,
    projectNorm,
  };
  return {
    loss,
    error,
    stages,
    depthwiseBackward: (grad: Numbers) => depthwise.backward(geometry, first.output, of("depthwise").data, grad),
    positions: height * width,
  };
}

/** The loss alone. */
export const bottleneckForward = (inputs: Inputs): { readonly loss: number } => ({ loss: forward(inputs).loss });

/** The loss, and its gradient for each parameter in the order of `bottleneckParameters`. */
export function bottleneckGradients(inputs: Inputs): {
  readonly loss: number;
  readonly gradients: readonly Float64Array[];
} {
  const { loss, error, stages, depthwiseBackward, positions } = forward(inputs);
  const { expand, expandNorm, first, depthwiseNorm, second, reduce, hidden, excite, gate, project, projectNorm } =
    stages;
  const wide = gate.output.length;

  const [gradProject, gradProjectNorm] = projectNorm.backward(error.map((e) => (2 * e) / error.length));
  const [gradGated, gradProjectWeight] = project.backward(gradProject);
  const gradGate = new Float64Array(wide);
  gradGated.forEach((g, i) => (gradGate[i % wide]! += g * second.output[i]!));
  const [gradHidden, gradExcite, gradExciteBias] = excite.backward(gate.backward(gradGate));
  const [gradMeans, gradReduce, gradReduceBias] = reduce.backward(hidden.backward(gradHidden));
  const gradSecond = gradGated.map((g, i) => g * gate.output[i % wide]! + gradMeans[i % wide]! / positions);
  const [gradFiltered, gradDepthwiseNorm] = depthwiseNorm.backward(second.backward(gradSecond));
  const [gradFirst, gradDepthwise] = depthwiseBackward(gradFiltered) as [Float64Array, Float64Array];
  const [gradExpand, gradExpandNorm] = expandNorm.backward(first.backward(gradFirst));
  const [, gradExpandWeight] = expand.backward(gradExpand);
  const gradients = [
    gradExpandWeight,
    gradExpandNorm,
    gradDepthwise,
    gradDepthwiseNorm,
    gradReduce,
    gradReduceBias,
    gradExcite,
    gradExciteBias,
    gradProjectWeight,
    gradProjectNorm,
  ];
  return { loss, gradients };
}
