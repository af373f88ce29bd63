import type { Activation } from "../kernels/activation.ts";
import { image, plain, refuse, type Conversion, type Rule } from "./conversion.ts";

export function activated(name: Activation): Rule {
  return ({ inputs: [input] }, to) => {
    const isImage = input!.shape.length === 4;
    const value = activate(name, isImage ? to.image(input!) : to.plain(input!), to);
    return isImage ? image(value) : plain(value);
  };
}

export function activate(activation: Activation | null, input: string, to: Conversion): string {
  if (activation !== null && typeof activation === "object")
    return to.node("LeakyRelu", [input], { alpha: { float: activation.slope } });
  switch (activation) {
    case null:
      return input;
    case "relu":
      return to.node("Relu", [input]);
    case "hswish":
      return to.node("HardSwish", [input]);
    case "hsigmoid":
      return to.node("HardSigmoid", [input], { alpha: { float: 1 / 6 } });
    case "sigmoid":
      return to.node("Sigmoid", [input]);
    case "silu":
      return to.node("Mul", [input, to.node("Sigmoid", [input])]);
    case "tanh":
      return to.node("Tanh", [input]);
    case "sqrt":
      return to.node("Sqrt", [input]);
    case "abs":
      return to.node("Abs", [input]);
    case "log":
      return to.node("Log", [input]);
    default:
      return refuse(`the activation ${activation}`);
  }
}
