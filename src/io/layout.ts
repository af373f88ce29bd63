// The only place that knows PyTorch's layouts: filters OIHW, here [R,S,I,O].

/** A dense filter `[O,I,R,S]` as `[R,S,I,O]`; of extent 1x1 that is `[I,O]`, and with I = 1 a depthwise filter `[R,S,C]`. */
export function filtersFromOihw(data: Float32Array, [outputs, inputs, height, width]: readonly [number, number, number, number]): Float32Array {
  const turned = new Float32Array(data.length);
  let at = 0;
  for (let o = 0; o < outputs; o++) {
    for (let i = 0; i < inputs; i++) {
      for (let tap = 0; tap < height * width; tap++) turned[(tap * inputs + i) * outputs + o] = data[at++]!;
    }
  }
  return turned;
}
