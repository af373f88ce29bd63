/** Every error that the library expects and explains. The command line prints its message alone, without a stack. */
export class BigridError extends Error {
  override name = "BigridError";
}

/** A tensor's shape or dtype does not fit the operation. The caller's mistake, found before any GPU work. */
export class ShapeError extends BigridError {
  override name = "ShapeError";
}

/** An option has a value that the operation does not take. */
export class OptionError extends BigridError {
  override name = "OptionError";
}

/** There is no usable WebGPU adapter on this machine or in this browser. */
export class AdapterError extends BigridError {
  override name = "AdapterError";
}

/** The GPU device is gone: everything on it too. Ask for a new one and load the last saved state. */
export class DeviceLostError extends BigridError {
  override name = "DeviceLostError";
}

/** WebGPU refused something that this library built. Carries its text. */
export class GpuError extends BigridError {
  override name = "GpuError";
}

/** A file or folder that the user named cannot be used as what it should be. */
export class InputError extends BigridError {
  override name = "InputError";
}

/** Throws ShapeError: "gridSample: <problem>, got input [1,4,4,8] and grid [2,3]". */
export function shapeError(op: string, problem: string, tensors: Record<string, { shape: readonly number[] }>): never {
  const got = Object.entries(tensors).map(([name, t]) => `${name} [${t.shape.join(",")}]`);
  throw new ShapeError(`${op}: ${problem}, got ${got.join(" and ")}`);
}
