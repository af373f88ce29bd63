import { topKMean } from "../../src/ops/statistics.ts";
import type { Operation } from "../harness/operation.ts";
import * as reference from "../reference/statistics.ts";

export const topKMeanOperation: Operation<reference.TopK> = {
  name: "topKMean",
  problems: [
    ["the one element", { rows: 1, columns: 1, k: 1 }],
    ["the maximum", { rows: 3, columns: 100, k: 1 }],
    ["all of them", { rows: 2, columns: 9, k: 9 }],
    ["rows longer than a workgroup", { rows: 5, columns: 700, k: 33 }],
    ["one in a thousand of a map", { rows: 2, columns: 3136, k: 3 }],
  ],
  draw: (draws) => {
    const columns = draws.pick([1, 2, 5, 64, 255, 256, 257, 600]);
    return { rows: draws.whole(1, 6), columns, k: draws.whole(1, columns) };
  },
  shapes: ({ rows, columns }) => [[rows, columns]],
  run: ({ k }, [input]) => topKMean(input!, k),
  forward: (p, [input]) => reference.topKMean(p, input!),
  backward: (p, [input], gradOutput) => [reference.topKMeanBackward(p, input!, gradOutput)],
  // A rounding for each addition, and for the division 2.5 ulp, which are 5 eps; the share and the gradient divide
  // twice.
  slack: ({ k }) => k + 10,
  exact: null, // WGSL never requires divisions to be exact
  magnitudes: (p, [input], gradOutput) => ({
    output: reference.topKMean(p, Array.from(input!, Math.abs)),
    grads: [reference.topKMeanBackward(p, input!, Array.from(gradOutput, Math.abs))],
  }),
  smooth: true,
};

/** On few distinct values, so that many elements tie with the k-th largest and share its weight. */
export const topKMeanOfEqualsOperation: Operation<reference.TopK> = {
  ...topKMeanOperation,
  name: "topKMean of equals",
  problems: [
    ["all equal to one of five values", { rows: 3, columns: 40, k: 7 }],
    ["rows longer than a workgroup", { rows: 2, columns: 300, k: 100 }],
  ],
  value: (random) => Math.floor(5 * random()) / 4 - 0.5,
  smooth: false,
};
