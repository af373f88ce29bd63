// An EfficientNet from the command line, with made-up weights: what matters here is which weights are used, and that
// they are.
import { readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { decodeSafetensors, encodeSafetensors, type StoredTensor } from "../../src/io/safetensors.ts";
import { writeSyntheticSet } from "../../src/node/synthetic.ts";
import { madeUp } from "../harness/made_up_network.ts";
import { temporaryFolder } from "../harness/temporary.ts";
import { bigrid, SHORT } from "./program.ts";

const folder = await temporaryFolder();
const at = (...names: string[]) => join(folder, ...names);

async function writeWeights(path: string, scale: number): Promise<void> {
  const weights = madeUp("efficientnet-b0");
  const tensors = new Map<string, StoredTensor>();
  for (const name of weights.shapes.keys()) tensors.set(name, await weights.read(name));
  const { shape, bytes } = tensors.get("features.0.0.weight")!;
  const scaled = new Float32Array(bytes.slice().buffer).map((value) => scale * value);
  tensors.set("features.0.0.weight", { dtype: "F32", shape, bytes: new Uint8Array(scaled.buffer) });
  await writeFile(path, encodeSafetensors({ tensors, metadata: {} }));
}

await writeSyntheticSet(at("set"), { size: 64, train: 6, good: 2, defective: 2, seed: 2 });
await writeWeights(at("weights.safetensors"), 1);
const train = (run: string, ...words: string[]) =>
  bigrid(["train", at("set", "plate"), "--out", at(run), "--backbone", "efficientnet-b0", ...SHORT, ...words], {
    HF_HUB_CACHE: at("empty"),
  });
const flags = ["--weights", at("weights.safetensors"), "--set", "padding=symmetric", "--resize", "letterbox"];
const trained = await train("run", ...flags);

const scoresOf = (stdout: string): unknown =>
  (JSON.parse(stdout) as { images: { score: number }[] }).images.map(({ score }) => score);
const pictures = ["000.png", "001.png"].map((name) => at("set", "plate", "test", "good", name));
const predict = (...words: string[]) =>
  bigrid(["predict", at("run"), ...pictures, "--out", at("out"), "--json", ...words]);

test("train, eval and predict go through, and the model knows backbone, padding, resize and the weights' hash", async () => {
  expect(trained).toMatchObject({ code: 0 });
  expect((await readdir(at("run"))).sort()).toEqual([
    "config.json",
    "images.json",
    "model.safetensors",
    "train.jsonl",
    "weights_path.txt",
  ]);
  const { metadata } = decodeSafetensors(await readFile(at("run", "model.safetensors")), "model");
  const {
    backbone,
    input: { resize },
  } = JSON.parse(metadata["config"]!) as { backbone: Record<string, string>; input: { resize: string } };
  expect(backbone).toMatchObject({ name: "efficientnet-b0", padding: "symmetric" });
  expect(backbone["weights"]).toMatch(/^[0-9a-f]{64}$/);
  expect(resize).toBe("letterbox");
  expect(await bigrid(["eval", at("run"), at("set", "plate"), "--json"])).toMatchObject({ code: 0 });
});

test("features spilled to disk train the same model, and leave no file behind", async () => {
  const spilled = await train("spilled", ...flags, "--set", "featureBudget=0");
  expect(spilled).toMatchObject({ code: 0 });
  const model = (run: string) => readFile(at(run, "model.safetensors"));
  expect((await model("spilled")).equals(await model("run"))).toBe(true);
  expect((await readdir(at("spilled"))).sort()).toEqual([
    "config.json",
    "images.json",
    "model.safetensors",
    "train.jsonl",
    "weights_path.txt",
  ]);
});

test("training goes on with the run's backbone, weights, padding and resize", async () => {
  const more = ["train", "--from", at("run"), "--add", at("set", "plate", "test", "good"), "--out", at("more")];
  const { code, stdout, stderr } = await bigrid(more, { HF_HUB_CACHE: at("empty") });
  expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
  expect(stderr).toContain(`2 good images added to the 6 of ${at("run")}; efficientnet-b0 backbone, on `);
  expect(stdout).toMatch(/\nplate +2 /);
  interface Config {
    readonly calibration: unknown;
    readonly method: { readonly config: object };
  }
  const configOf = async (run: string): Promise<Config> => {
    const { metadata } = decodeSafetensors(await readFile(at(run, "model.safetensors")), run);
    return JSON.parse(metadata["config"]!) as Config;
  };
  const { calibration, method, ...others } = await configOf("run");
  expect(await configOf("more")).toEqual({
    ...others,
    calibration: expect.anything() as unknown,
    method: { ...method, config: { ...method.config, rows: 256 } }, // half of the cells of two images more
  });
  expect((await configOf("more")).calibration).not.toEqual(calibration);
  const other = await bigrid([...more, "--set", "padding=same"], { HF_HUB_CACHE: at("empty") });
  expect(other.stderr).toContain(`padding "same" contradicts ${at("run")}, which was trained with "symmetric"`);
});

test("weights that have moved are asked for, and taken from where --weights says; others are refused", async () => {
  const before = scoresOf((await predict()).stdout);
  await rename(at("weights.safetensors"), at("moved.safetensors"));
  const lost = await predict();
  expect(lost.code).toBe(1);
  expect(lost.stderr).toContain(
    `${at("weights.safetensors")} is no longer there; give their file as the option weights`,
  );
  expect(scoresOf((await predict("--weights", at("moved.safetensors"))).stdout)).toEqual(before);

  await writeWeights(at("other.safetensors"), 2);
  const other = await predict("--weights", at("other.safetensors"));
  expect(other.code).toBe(1);
  expect(other.stderr).toContain("SHA-256");
});

test("without weights, training says how to get them", async () => {
  const { code, stderr } = await train("none");
  expect(code).toBe(1);
  expect(stderr).toContain(
    'efficientnet-b0 needs its weights: "bigrid weights efficientnet-b0" downloads them, --weights FILE names others',
  );
});
