// Kernels, the tape, optimisers: what models are made of. Runs wherever there is WebGPU, and is handed its device.
export { record, type Gradients, type Pullback } from "./autograd/tape.ts";
export { maskUnion, type DecodedImage } from "./io/image.ts";
export { placementOf, RESIZES, type Placement, type Rectangle, type Resize } from "./io/placement.ts";
export type { Conv2dOptions } from "./kernels/conv2d.ts";
export type { ConvolutionOptions, Epilogue, Padding } from "./kernels/convolution.ts";
export type { GaussianBlurOptions } from "./kernels/gaussian_blur.ts";
export type { GridSampleOptions } from "./kernels/grid_sample.ts";
export type { HistogramOptions } from "./kernels/histogram.ts";
export type { ImageOptions } from "./kernels/image.ts";
export { launch, type Launch, type Pair, type Parts } from "./kernels/launch.ts";
export type { MatmulOptions } from "./kernels/products/matmul.ts";
export type { AveragePoolOptions, MaxPoolOptions } from "./kernels/pool.ts";
export type { ResizeOptions } from "./kernels/resize.ts";
export { measureRoofs, type Roofs } from "./kernels/roofs.ts";
export { activation, type Activation, type ActivationName } from "./ops/activation.ts";
export { batchNorm, batchNormInference, foldBatchNorm, standardize, type BatchNormOptions } from "./ops/batch_norm.ts";
export { cast } from "./ops/cast.ts";
export { conv2d, depthwiseConv2d } from "./ops/conv2d.ts";
export { dropout, type DropoutOptions } from "./ops/dropout.ts";
export { add, divide, maximum, minimum, multiply, scalar, subtract } from "./ops/elementwise.ts";
export {
  farthestPoints,
  FarthestPointSearch,
  type FarthestPointState,
  type FarthestPointsOptions,
} from "./ops/farthest_points.ts";
export { gather } from "./ops/gather.ts";
export { gaussianBlur } from "./ops/gaussian_blur.ts";
export { valueAndGradients } from "./ops/gradients.ts";
export { gridSample } from "./ops/grid_sample.ts";
export { imagesToTensor, ResizeFilters, type ImagesToTensorOptions } from "./ops/images.ts";
export { mseLoss, type LossOptions, type LossReduction } from "./ops/losses.ts";
export { matmul, pointwiseConv2d } from "./ops/matmul.ts";
export { nearestRows, type NearestRows } from "./ops/nearest_rows.ts";
export { averagePool, globalAveragePool, globalMaxPool, maxPool } from "./ops/pool.ts";
export { normal, randomWords, uniform, type Draw } from "./ops/random.ts";
export { max, maxPositions, mean, min, sum } from "./ops/reduce.ts";
export { resize } from "./ops/resize.ts";
export { cosineSimilarity, l2Norm, l2Normalize, layerNorm, softmax, type EpsOptions } from "./ops/rows.ts";
export { broadcastTo, concat, pad, reshape, slice, transpose } from "./ops/shape.ts";
export { squeezeExcitation, type SqueezeExcitationOptions, type SqueezeLayer } from "./ops/squeeze_excitation.ts";
export { exclusiveScan, histogram, topKMean } from "./ops/statistics.ts";
export { Adam, AdamW, type AdamOptions } from "./optim/adam.ts";
export type { Optimizer, OptimizerState, ParameterGroup } from "./optim/optimizer.ts";
export { cosineLearningRate, stepLearningRate } from "./optim/schedule.ts";
export { Sgd, type SgdOptions } from "./optim/sgd.ts";
export type { AdapterReport, AdapterSwitch, DeviceOptions } from "./runtime/acquire.ts";
export type { BufferPart } from "./runtime/bind_groups.ts";
export { defineKernel } from "./runtime/define_kernel.ts";
export { Device, type AdapterDescription, type CaptureOptions, type CapturePlan } from "./runtime/device.ts";
export type { MatrixKind, MatrixUnits } from "./runtime/matrices.ts";
export {
  AdapterError,
  BigridError,
  DeviceLostError,
  DivergedError,
  GpuError,
  InputError,
  OptionError,
  OutOfMemoryError,
  ReleasedError,
  ShapeError,
  TooLargeError,
  UnsupportedError,
  UsageError,
} from "./runtime/errors.ts";
export type { Element, Kernel, KernelSpec } from "./runtime/kernel.ts";
export type { Allocation, MemoryUse, Scope, ScopeOptions } from "./runtime/pool.ts";
export type { Program } from "./runtime/program.ts";
export type { Counters, Workgroups } from "./runtime/queue.ts";
export type { KernelTime, TracedDispatch, Work } from "./runtime/profiler.ts";
export { millisecondsOf, type TimedDevice } from "./runtime/timing.ts";
export { tune, Tuner, type TunedDevice, type TuningStore } from "./runtime/tuner.ts";
export type { WgslBinding, WgslModule, WgslParam } from "./runtime/wgsl.ts";
export { RandomStream } from "./tensor/random.ts";
export {
  bytesOf,
  countOf,
  empty,
  fromArray,
  release,
  requireGrad,
  toArray,
  zeros,
  type DType,
  type FloatDType,
  type Shape,
  type Tensor,
} from "./tensor/tensor.ts";
