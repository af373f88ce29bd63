import { openDevice } from "../src/node/device.ts";

/** One device for the whole run. */
export const device = await openDevice();
