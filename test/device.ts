import { openDevice } from "../src/node/device.ts";

/** One device for the whole run: all test files share their modules. */
export const device = await openDevice();
