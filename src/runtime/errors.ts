/**
 * Base of every error that the library expects and explains. The command line prints its message alone, without a
 * stack. `code` is a short word that stays the same from version to version: compare that rather than messages or,
 * across bundles and workers, classes.
 */
export class BigridError extends Error {
  override name = "BigridError";
  readonly code: string = "bigrid";
}

/** A tensor's shape or dtype does not fit the operation. The caller's mistake, found before any GPU work. */
export class ShapeError extends BigridError {
  override name = "ShapeError";
  override readonly code: string = "shape";
}

/** A tensor is larger than this device can hold or see. Less at a time, such as a smaller batch, may fit. */
export class TooLargeError extends ShapeError {
  override name = "TooLargeError";
  override readonly code = "too-large";
}

/** An option has a value that the operation does not take. */
export class OptionError extends BigridError {
  override name = "OptionError";
  override readonly code = "option";
}

/** A call that is not allowed where it was made, such as reading a tensor inside `capture`. */
export class UsageError extends BigridError {
  override name = "UsageError";
  override readonly code: string = "usage";
}

/** A tensor, a program, or a program that reads such a tensor was used after it was given back. Keep it longer. */
export class ReleasedError extends UsageError {
  override name = "ReleasedError";
  override readonly code = "released";
}

/** The device lacks a feature that was asked for. */
export class UnsupportedError extends BigridError {
  override name = "UnsupportedError";
  override readonly code = "unsupported";
}

/** There is no usable WebGPU adapter on this machine or in this browser. */
export class AdapterError extends BigridError {
  override name = "AdapterError";
  override readonly code = "adapter";
}

/** The GPU device is gone: everything on it too. Ask for a new one and load the last saved state. */
export class DeviceLostError extends BigridError {
  override name = "DeviceLostError";
  override readonly code = "device-lost";
}

/** WebGPU refused something that this library built. Carries its text. */
export class GpuError extends BigridError {
  override name = "GpuError";
  override readonly code: string = "gpu";
}

/**
 * The GPU has no memory for what was asked of it. A new device, and less at a time, may fit; this one may be unusable.
 */
export class OutOfMemoryError extends GpuError {
  override name = "OutOfMemoryError";
  override readonly code = "out-of-memory";
}

/** Training has come to NaN or infinity: nothing after that is of use. */
export class DivergedError extends BigridError {
  override name = "DivergedError";
  override readonly code = "diverged";
}

/** A file or folder that the user named cannot be used as what it should be. */
export class InputError extends BigridError {
  override name = "InputError";
  override readonly code = "input";
}

/** Throws ShapeError: "gridSample: <problem>, got input [1,4,4,8] and grid [2,3]". */
export function shapeError(op: string, problem: string, tensors: Record<string, { shape: readonly number[] }>): never {
  const got = Object.entries(tensors).map(([name, t]) => `${name} [${t.shape.join(",")}]`);
  throw new ShapeError(`${op}: ${problem}, got ${got.join(" and ")}`);
}
