/**
 * Base of every error that the library expects and explains. The command line prints only its message, without a stack.
 * `code` is a short word that stays the same across versions: compare it rather than messages or, across bundles and
 * workers, classes.
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

/** A tensor is larger than this device can hold or bind. Smaller portions, such as a smaller batch, may fit. */
export class TooLargeError extends ShapeError {
  override name = "TooLargeError";
  override readonly code = "too-large";
}

/** An option has a value that the operation does not accept. */
export class OptionError extends BigridError {
  override name = "OptionError";
  override readonly code = "option";
}

/** A call that is not allowed in its context, such as reading a tensor inside `capture`. */
export class UsageError extends BigridError {
  override name = "UsageError";
  override readonly code: string = "usage";
}

/** A released tensor or program was used, or a program that reads a released tensor. Release it later. */
export class ReleasedError extends UsageError {
  override name = "ReleasedError";
  override readonly code = "released";
}

/** The device lacks a requested feature, or a file format such as ONNX cannot express it. */
export class UnsupportedError extends BigridError {
  override name = "UnsupportedError";
  override readonly code = "unsupported";
}

/** There is no usable WebGPU adapter on this machine or in this browser. */
export class AdapterError extends BigridError {
  override name = "AdapterError";
  override readonly code = "adapter";
}

/** The GPU device is lost, with everything on it. Open a new one and load the last saved state. */
export class DeviceLostError extends BigridError {
  override name = "DeviceLostError";
  override readonly code = "device-lost";
}

/** WebGPU refused something that this library built. Carries WebGPU's message. */
export class GpuError extends BigridError {
  override name = "GpuError";
  override readonly code: string = "gpu";
}

/** The GPU is out of memory. This device may be unusable; smaller work on a new device may fit. */
export class OutOfMemoryError extends GpuError {
  override name = "OutOfMemoryError";
  override readonly code = "out-of-memory";
}

/** Training has diverged to NaN or infinity; its later results are useless. */
export class DivergedError extends BigridError {
  override name = "DivergedError";
  override readonly code = "diverged";
}

/** A file or folder that the user named cannot be used for its purpose. */
export class InputError extends BigridError {
  override name = "InputError";
  override readonly code = "input";
}

/** Throws ShapeError with a message such as "gridSample: <problem>, got input [1,4,4,8] and grid [2,3]". */
export function shapeError(op: string, problem: string, tensors: Record<string, { shape: readonly number[] }>): never {
  const got = Object.entries(tensors).map(([name, t]) => `${name} [${t.shape.join(",")}]`);
  throw new ShapeError(`${op}: ${problem}, got ${got.join(" and ")}`);
}
