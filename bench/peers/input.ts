/** A dense row-major array. Images are `[N,H,W,C]`, weights `[R,S,C,K]`, depthwise weights `[R,S,C]`. */
export interface Input {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export type Inputs = Readonly<Record<string, Input>>;
