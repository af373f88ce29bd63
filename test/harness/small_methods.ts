import type { MethodName, OptionsOfMethods } from "../../src/methods/registry.ts";

/** Options of each method that make a training of a second or two. */
export const SMALL: { readonly [N in MethodName]: OptionsOfMethods[N] } = {
  dfr: { variance: 1, epochs: 1, leastSteps: 6, batch: 4, componentImages: 6 }, // as many components as are predicted
  grad: {
    decoder: "tiny",
    batch: 4,
    epochsAbnormal: 1,
    epochsNormal: 1,
    epochsResidual: 1,
    leastAbnormal: 3,
    leastNormal: 3,
    leastResidual: 3,
    enoughHits: 1,
    rows: 100,
  },
  padim: { dimensions: 10, batch: 3 },
  patchcore: { coreset: 0.3, projection: 16, neighbours: 3, batch: 3 },
  crad: { decoder: "tiny", epochs: 1, leastSteps: 6, batch: 4 },
  simplenet: { hidden: 16, epochs: 2, leastSteps: 5, batch: 4, noiseRegion: "patches" },
  uniad: {
    layers: 1,
    hidden: 16,
    attentionHeads: 2,
    feedForward: 24,
    window: 3,
    cells: 7,
    steps: 5,
    batch: 4,
    jitterShare: 0.5,
  },
  riad: { baseWidth: 2, epochs: 1, leastSteps: 3, batch: 4, cellSizes: [4, 16, 16, 4] },
};
