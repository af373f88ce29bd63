// Real anomalies from the command line: what is learnt from, and what is refused.
import { cp, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { decodeSafetensors } from "../../src/io/safetensors.ts";
import { writeSyntheticSet } from "../../src/node/synthetic.ts";
import { temporaryFolder } from "../harness/temporary.ts";
import { bigrid, SHORT } from "./program.ts";

const folder = await temporaryFolder();
const at = (...names: string[]) => join(folder, ...names);
await writeSyntheticSet(at("set"), { size: 64, train: 4, good: 1, defective: 2, seed: 2 });
// A folder of defects alone: no good image to learn from is needed there.
for (const part of ["test", "ground_truth"])
  await cp(at("set", "plate", part), at("defects", part), { recursive: true });

const train = (run: string, ...words: string[]) =>
  bigrid(["train", at("set", "plate"), "--out", at(run), ...SHORT, ...words]);

test("defects of another folder are learnt from, and said to be", async () => {
  const { code, stderr } = await train(
    "run",
    "--form",
    "joined",
    "--anomalies",
    at("defects"),
    "--set",
    "anomalyShare=1",
  );
  expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
  expect(stderr).toMatch(/\d+ defective images of .*defects are trained on: do not evaluate on these images/);
  expect(decodeSafetensors(await readFile(at("run", "model.safetensors")), "model").metadata["format"]).toBe(
    "bigrid-detector",
  );
});

test("the default form, which has no use for defects, refuses them", async () => {
  const { code, stderr } = await train("other", "--anomalies", at("defects"));
  expect(code).toBe(1);
  expect(stderr).toContain("the method grad does not learn from anomalies with these options: leave them out");
});

test("anomalies without masks, and a share of none, are refused", async () => {
  await mkdir(at("unmarked"));
  await cp(at("set", "plate", "test"), at("unmarked", "test"), { recursive: true });
  const unmarked = await train("other", "--form", "joined", "--anomalies", at("unmarked"));
  expect(unmarked.code).toBe(1);
  expect(unmarked.stderr).toContain("has no defective images with masks to learn from, read as");
  const share = await train("other", "--set", "anomalyShare=0.5");
  expect(share.code).not.toBe(0);
  expect(share.stderr).toContain("anomalyShare has no effect without anomalies to learn from");
});
