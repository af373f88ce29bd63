// The only place that knows the layouts of PyTorch and ONNX: weights OIHW (here [R,S,I,O]), images NCHW (here
// [N,H,W,C]).

type Extents = readonly [number, number, number, number];

/**
 * Converts a weight `[O,I,R,S]` to `[R,S,I,O]`; a 1x1 weight is then `[I,O]`, and with I = 1 it is a depthwise weight
 * `[R,S,C]`.
 */
export const weightFromOihw = (data: Float32Array, shape: Extents): Float32Array => permuted(data, shape, [2, 3, 1, 0]);

/** Converts a weight `[R,S,I,O]` to `[O,I,R,S]`. */
export const weightToOihw = (data: Float32Array, shape: Extents): Float32Array => permuted(data, shape, [3, 2, 0, 1]);

/** Converts images `[N,H,W,C]` to `[N,C,H,W]`. */
export const imagesToNchw = (data: Float32Array, shape: Extents): Float32Array => permuted(data, shape, [0, 3, 1, 2]);

/** Elements with the axes permuted; `order` gives the source axis of each axis of the result. */
function permuted(data: Float32Array, shape: Extents, order: Extents): Float32Array {
  const strides = [shape[1] * shape[2] * shape[3], shape[2] * shape[3], shape[3], 1];
  const [a, b, c, d] = order.map((axis) => ({ extent: shape[axis]!, stride: strides[axis]! })) as [
    Axis,
    Axis,
    Axis,
    Axis,
  ];
  const turned = new Float32Array(data.length);
  let at = 0;
  for (let i = 0; i < a.extent; i++) {
    for (let j = 0; j < b.extent; j++) {
      for (let k = 0; k < c.extent; k++) {
        const first = i * a.stride + j * b.stride + k * c.stride;
        for (let l = 0; l < d.extent; l++) turned[at++] = data[first + l * d.stride]!;
      }
    }
  }
  return turned;
}

interface Axis {
  readonly extent: number;
  readonly stride: number;
}
