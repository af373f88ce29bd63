// The only place that knows PyTorch's and ONNX's layouts: filters OIHW, here [R,S,I,O]; images NCHW, here [N,H,W,C].

type Extents = readonly [number, number, number, number];

/**
 * A dense filter `[O,I,R,S]` as `[R,S,I,O]`; of extent 1x1 that is `[I,O]`, and with I = 1 a depthwise filter
 * `[R,S,C]`.
 */
export const filtersFromOihw = (data: Float32Array, shape: Extents): Float32Array =>
  permuted(data, shape, [2, 3, 1, 0]);

/** The reverse, of a filter `[R,S,I,O]`. */
export const filtersToOihw = (data: Float32Array, shape: Extents): Float32Array => permuted(data, shape, [3, 2, 0, 1]);

/** Images `[N,H,W,C]` as `[N,C,H,W]`. */
export const imagesToNchw = (data: Float32Array, shape: Extents): Float32Array => permuted(data, shape, [0, 3, 1, 2]);

/** Elements with the axes in another order: for each axis of the result the one that it was. */
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
