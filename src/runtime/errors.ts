/** Every error that the library expects and explains. The command line prints its message alone, without a stack. */
export class BigridError extends Error {
  override name = "BigridError";
}

/** A tensor's shape or dtype does not fit the operation. The caller's mistake, found before any GPU work. */
export class ShapeError extends BigridError {
  override name = "ShapeError";
}

/** A tensor is larger than this device can hold or see. Less at a time, such as a smaller batch, may fit. */
export class TooLargeError extends ShapeError {
  override name = "TooLargeError";
}

/** An option has a value that the operation does not take. */
export class OptionError extends BigridError {
  override name = "OptionError";
}

/** A tensor, or a program that reads one, was used after the tensor was given back. Keep it longer. */
export class ReleasedError extends BigridError {
  override name = "ReleasedError";
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

/** The GPU has no memory for what was asked of it. A new device, and less at a time, may fit; this one may be of no use any more. */
export class OutOfMemoryError extends GpuError {
  override name = "OutOfMemoryError";
}

/** Training has come to NaN or infinity: nothing after that is of use. */
export class DivergedError extends BigridError {
  override name = "DivergedError";
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
