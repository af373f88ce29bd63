import { openDevice } from "../../src/node/device.ts";

// `vitest --mode minimal` (npm run test:minimal): only what every WebGPU device supports.
const { MODE } = (import.meta as ImportMeta & { readonly env?: { readonly MODE?: string } }).env ?? {};

/** One device for the whole run: all test files share their modules. */
export const device = await openDevice({ minimal: MODE === "minimal" });
