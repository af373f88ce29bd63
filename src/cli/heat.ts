import { heatOverlay } from "./report/pictures.ts";

/**
 * Colours an anomaly map on the model's fixed, logarithmic scale, for laying over its photograph.
 * @returns RGBA, row-major
 */
export function heatLayer(map: Float32Array, width: number, height: number, [low, high]: readonly [low: number, high: number]): Uint8Array {
  return heatOverlay(map.map((value) => Math.log(Math.max(value, low))), width, height, Math.log(low), Math.log(high));
}
