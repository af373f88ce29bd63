// Float64 definition of squeeze and excitation with relu and sigmoid, and its gradients by the chain rule.

type Numbers = ArrayLike<number>;

export interface Problem {
  readonly batch: number;
  readonly positions: number;
  readonly channels: number;
  readonly squeezed: number;
}

const logistic = (x: number): number => 1 / (1 + Math.exp(-x));

/** Per image: the mean over positions, the first layer's output before and after relu, the gate. */
function stages(p: Problem, [input, w1, b1, w2, b2]: readonly Numbers[], n: number) {
  const mean = Array.from({ length: p.channels }, (_, c) => {
    let sum = 0;
    for (let i = 0; i < p.positions; i++) sum += input![(n * p.positions + i) * p.channels + c]!;
    return sum / p.positions;
  });
  const before = Array.from({ length: p.squeezed }, (_, s) =>
    mean.reduce((sum, m, c) => sum + m * w1![c * p.squeezed + s]!, b1![s]!),
  );
  const hidden = before.map((x) => Math.max(0, x));
  const gate = Array.from({ length: p.channels }, (_, c) =>
    logistic(hidden.reduce((sum, h, s) => sum + h * w2![s * p.channels + c]!, b2![c]!)),
  );
  return { mean, before, hidden, gate };
}

export function forward(p: Problem, inputs: readonly Numbers[]): Float64Array {
  const output = new Float64Array(inputs[0]!.length);
  for (let n = 0; n < p.batch; n++) {
    const { gate } = stages(p, inputs, n);
    for (let i = 0; i < p.positions * p.channels; i++) {
      const at = n * p.positions * p.channels + i;
      output[at] = inputs[0]![at]! * gate[i % p.channels]!;
    }
  }
  return output;
}

export function backward(p: Problem, inputs: readonly Numbers[], gradOutput: Numbers): Float64Array[] {
  const [input, w1, , w2] = inputs as [Numbers, Numbers, Numbers, Numbers];
  const grads = inputs.map(({ length }) => new Float64Array(length));
  const [gradInput, gradW1, gradB1, gradW2, gradB2] = grads as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  for (let n = 0; n < p.batch; n++) {
    const { mean, before, hidden, gate } = stages(p, inputs, n);
    const first = n * p.positions * p.channels;
    const gradLogit = gate.map((g, c) => {
      let sum = 0;
      for (let i = 0; i < p.positions; i++)
        sum += gradOutput[first + i * p.channels + c]! * input[first + i * p.channels + c]!;
      return sum * g * (1 - g);
    });
    const gradBefore = before.map((x, s) =>
      x > 0 ? gradLogit.reduce((sum, g, c) => sum + g * w2[s * p.channels + c]!, 0) : 0,
    );
    const gradMean = mean.map((_, c) => gradBefore.reduce((sum, g, s) => sum + g * w1[c * p.squeezed + s]!, 0));
    gradLogit.forEach((g, c) => {
      gradB2[c]! += g;
      hidden.forEach((h, s) => (gradW2[s * p.channels + c]! += h * g));
    });
    gradBefore.forEach((g, s) => {
      gradB1[s]! += g;
      mean.forEach((m, c) => (gradW1[c * p.squeezed + s]! += m * g));
    });
    for (let i = 0; i < p.positions; i++) {
      for (let c = 0; c < p.channels; c++) {
        const at = first + i * p.channels + c;
        gradInput[at] = gradOutput[at]! * gate[c]! + gradMean[c]! / p.positions;
      }
    }
  }
  return grads;
}
