/** Transposes a dense array for a channels-first library. */
export function permuted({ shape, data }, axes) {
  const dims = axes.map((axis) => shape[axis]);
  const strides = axes.map((axis) => shape.slice(axis + 1).reduce((n, d) => n * d, 1));
  const result = new Float32Array(data.length);
  const index = dims.map(() => 0);
  for (let i = 0, from = 0; i < result.length; i++) {
    result[i] = data[from];
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      from += strides[axis];
      if (++index[axis] < dims[axis]) break;
      from -= dims[axis] * strides[axis];
      index[axis] = 0;
    }
  }
  return { shape: dims, data: result };
}

/** `[N,H,W,C]` as `[N,C,H,W]`. */
export const toChannelsFirst = (image) => permuted(image, [0, 3, 1, 2]);

/** `[N,C,H,W]` as `[N,H,W,C]`. */
export const toChannelsLast = (image) => permuted(image, [0, 2, 3, 1]);

/** `[R,S,C,K]` as `[K,C,R,S]`. */
export const weightFirst = (weight) => permuted(weight, [3, 2, 0, 1]);

/** `[K,C,R,S]` as `[R,S,C,K]`. */
export const weightLast = (weight) => permuted(weight, [2, 3, 1, 0]);

/** `[R,S,C]` as `[C,1,R,S]`. */
export function windowFirst(window) {
  const {
    shape: [channels, height, width],
    data,
  } = permuted(window, [2, 0, 1]);
  return { shape: [channels, 1, height, width], data };
}

/** `[C,1,R,S]` as `[R,S,C]`. */
export const windowLast = ({ shape: [channels, , height, width], data }) =>
  permuted({ shape: [channels, height, width], data }, [1, 2, 0]);
