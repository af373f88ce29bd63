import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import type * as bigrid from "../../src/browser/index.ts";
import { executablePath, launch } from "../playground/chromium.ts";

const ORIGIN = "http://127.0.0.1"; // answered by the test itself

const PAGE =
  '<!doctype html><title>tuning</title><script type="module">import * as bigrid from "/bigrid.min.js"; globalThis.bigrid = bigrid;</script>';

/** In a page: a product is tuned by device after device, with whatever is done to the page's records in between. */
async function tuneFourTimes(): Promise<{ readonly made: number[]; readonly forms: string[][] }> {
  const { fromArray, matmul, openDevice, tune } = (globalThis as unknown as { readonly bigrid: typeof bigrid }).bigrid;
  const made: number[] = [];
  const forms: string[][] = [];
  const once = async (): Promise<void> => {
    const device = await openDevice({ autotune: true });
    const tensors = [
      [1, 40, 8],
      [1, 8, 36],
    ].map((shape) => fromArray(device, shape, new Float32Array(shape[1]! * shape[2]!)));
    made.push(await tune(device, () => matmul(tensors[0]!, tensors[1]!)));
    forms.push([...device.tuner.choices].map((choice) => choice.join(": ")));
    device.destroy();
  };
  const spoil = (): Promise<void> =>
    new Promise((resolve) => {
      const opening = indexedDB.open("bigrid");
      opening.onsuccess = () => {
        const transaction = opening.result.transaction("tuning", "readwrite");
        const store = transaction.objectStore("tuning");
        store.getAllKeys().onsuccess = ({ target }) => {
          for (const key of (target as IDBRequest<IDBValidKey[]>).result) store.put("nonsense", key);
        };
        transaction.oncomplete = () => (opening.result.close(), resolve());
      };
    });
  await once();
  await once();
  await spoil();
  await once();
  Object.defineProperty(globalThis, "indexedDB", {
    value: {
      open: () => {
        throw new Error("not in this page");
      },
    },
  });
  await once();
  return { made, forms };
}

const name =
  executablePath === undefined
    ? "choices in IndexedDB (skipped: no Chromium)"
    : "a page keeps choices in IndexedDB, and does without where it cannot";
test.skipIf(executablePath === undefined)(name, async () => {
  const browser = await launch();
  try {
    const page = await browser.newPage();
    await page.route(`${ORIGIN}/**`, async (route) => {
      const isScript = route.request().url().endsWith(".js");
      await route.fulfill(
        isScript
          ? { contentType: "text/javascript", body: await readFile("dist/bigrid.min.js", "utf8") }
          : { contentType: "text/html", body: PAGE },
      );
    });
    await page.goto(`${ORIGIN}/`);
    const { made, forms } = await page.evaluate(tuneFourTimes);
    expect(made).toEqual([1, 0, 1, 1]);
    expect(forms[1]).toEqual(forms[0]);
    expect(forms.map((choices) => choices.length)).toEqual([1, 1, 1, 1]);
  } finally {
    await browser.close();
  }
});
