import { afterAll } from "vitest";
import { openDevice } from "../src/node/device.ts";

/** One device for a test file. */
export const device = await openDevice();

afterAll(() => device.destroy());
