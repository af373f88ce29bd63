// A comparison as a user runs it: killed and gone on with, changed, with methods that fail.
import { spawn } from "node:child_process";
import { cp, readdir, readFile, rm, utimes } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Comparison } from "../../src/cli/compare/comparison.ts";
import { writeSyntheticSet } from "../../src/node/synthetic.ts";
import { temporaryFolder } from "../harness/temporary.ts";
import { bigrid, PROGRAM, type Outcome } from "./program.ts";

const folder = await temporaryFolder();
const at = (...names: string[]) => join(folder, ...names);
await writeSyntheticSet(at("set"), { size: 64, train: 10, good: 2, defective: 1, seed: 2 });

const OPTIONS = [
  "--size",
  "64",
  "--resamples",
  "50",
  ...["hidden=8", "epochs=1", "leastSteps=130", "batch=2"].flatMap((setting) => ["--set", `simplenet.${setting}`]),
] as const;
const words = (out: string, ...more: string[]) => [
  "compare",
  at("set"),
  "--out",
  at(out),
  "--methods",
  "padim,simplenet",
  "--seeds",
  "0,1",
  ...OPTIONS,
  ...more,
];
const comparisonIn = async (out: string): Promise<Comparison> =>
  JSON.parse(await readFile(at(out, "compare.json"), "utf8")) as Comparison;
/** The part of a comparison that does not depend on the clock. */
const figuresOf = ({ created: _created, methods, ...rest }: Comparison) => ({
  ...rest,
  methods: methods.map(({ costs, ...method }) => ({ ...method, memory: costs?.memory, bytes: costs?.modelBytes })),
});

const whole = await bigrid(words("whole"));

test("trains and measures each method with each seed, and writes table, page and data", async () => {
  expect(whole).toMatchObject({ code: 0 });
  expect((await readdir(at("whole"))).sort()).toEqual([
    "compare.html",
    "compare.json",
    "features",
    "results.jsonl",
    "runs",
  ]);
  expect((await readdir(at("whole", "runs"))).sort()).toEqual(["padim-seed-0", "simplenet-seed-0"]);
  const { methods, seeds, dataset } = await comparisonIn("whole");
  expect([seeds, dataset.classes.map(({ name }) => name)]).toEqual([
    [0, 1],
    ["plate", "weave"],
  ]);
  expect(dataset.classes[0]).toMatchObject({ train: 10, good: 2, defective: 3, gap: null });
  for (const { mean, classes, costs, run, failures, suits, seeds: own } of methods) {
    expect([own, failures]).toEqual([[0, 1], []]);
    for (const figures of [mean!, ...Object.values(classes!)]) {
      for (const { value, interval, seeds: values, std } of Object.values(figures)) {
        expect(value).toBeCloseTo((values[0]! + values[1]!) / 2, 12);
        expect(std).toBeCloseTo(Math.abs(values[0]! - values[1]!) * Math.SQRT1_2, 12);
        expect(interval![0] <= value! + 1e-6 && value! - 1e-6 <= interval![1]).toBe(true);
      }
    }
    expect(Object.values(mean!).every(({ seeds: values }) => values.length === 2)).toBe(true);
    for (const cost of [costs!.seconds.features, costs!.seconds.training, costs!.imagesPerSecond, costs!.modelBytes])
      expect(cost).toBeGreaterThan(0);
    expect(costs!.memory.training).toBeGreaterThan(costs!.modelBytes);
    expect((await readdir(at("whole", run!))).sort()).toEqual([
      "config.json",
      "images.json",
      "model.safetensors",
      "train.jsonl",
    ]);
    expect(suits.length).toBeGreaterThan(20);
  }
  // PaDiM has no chance in it; SimpleNet has
  expect(methods[0]!.mean!.pixelAp.std).toBe(0);
  expect(methods[1]!.mean!.pixelAp.std).toBeGreaterThan(0);
  expect(whole.stdout).toMatch(/^method +image AUROC +AP +F1-max +pixel AUROC/);
  expect(whole.stdout).toContain(`page    ${at("whole", "compare.html")}   open it in a browser`);
  const page = await readFile(at("whole", "compare.html"), "utf8");
  for (const { title, suits } of methods) {
    expect(page).toContain(`<dt>${title} <`);
    expect(page).toContain(`It suits ${suits}.`);
  }
  expect(page).toContain("Worst images");
  expect(page).not.toContain(folder); // it is handed on
});

test("has the model that train makes of the same options, and the figures that eval measures", async () => {
  const run = at("whole", "runs", "padim-seed-0");
  await bigrid(["train", at("set"), "--out", at("padim"), "--method", "padim", "--size", "64", "--seed", "0"]);
  const model = (path: string) => readFile(join(path, "model.safetensors"));
  expect((await model(at("padim"))).equals(await model(run))).toBe(true);
  const evaluated = await bigrid(["eval", run, at("set"), "--json", "--no-report", "--resamples", "50"]);
  const { classes } = JSON.parse(evaluated.stdout) as { classes: Record<string, Record<string, number>> };
  const [padim] = (await comparisonIn("whole")).methods;
  for (const [name, metrics] of Object.entries(classes))
    for (const [metric, value] of Object.entries(metrics))
      expect(padim!.classes![name]![metric as "pixelAp"].seeds[0], `${name} ${metric}`).toBeCloseTo(value, 9);
});

/** Runs a comparison, and kills it as soon as its folder is as `isDue` says. */
function killedWhen(out: string, isDue: () => Promise<boolean>, signal: NodeJS.Signals = "SIGKILL"): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [PROGRAM, ...words(out)], { detached: true });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (data: Buffer) => (stdout += data.toString()));
    child.stderr.on("data", (data: Buffer) => (stderr += data.toString()));
    const poll = setInterval(() => {
      void isDue().then((due) => {
        if (!due) return;
        clearInterval(poll);
        // the program is a launcher and its child; a kill that nobody can catch has to reach both
        process.kill(signal === "SIGKILL" ? -child.pid! : child.pid!, signal);
      });
    }, 10);
    child.on("close", (code) => {
      clearInterval(poll);
      resolve({ code, stdout, stderr });
    });
  });
}

test("killed among features, in a training and between results, it goes on, to the same results", async () => {
  const read = (...names: string[]) => readFile(at("killed", ...names), "utf8").catch(() => "");
  const features = async () => {
    const names = await readdir(at("killed", "features")).catch(() => [] as string[]);
    return Promise.all(names.filter((name) => name.endsWith(".jsonl")).map((name) => read("features", name)));
  };
  await killedWhen("killed", async () => (await features()).some((text) => text.split("\n").length > 5));
  const kept = (await features()).join("").split("\n").length;
  expect(kept).toBeGreaterThan(5);
  const states = () => readdir(at("killed", "runs", "simplenet-seed-0", "training_states")).catch(() => [] as string[]);
  await killedWhen("killed", async () => (await states()).includes("00000100.safetensors"));
  expect(await readdir(at("killed"))).not.toContain("compare.json");
  const resumed = await killedWhen("killed", async () => (await read("results.jsonl")).split('"measured"').length > 3);
  expect(resumed.stderr).toContain("resumed after 100 steps");
  const finished = await bigrid(words("killed"));
  expect(finished).toMatchObject({ code: 0 });
  expect(finished.stderr).not.toContain("PaDiM, seed 0");
  expect(figuresOf(await comparisonIn("killed"))).toEqual(figuresOf(await comparisonIn("whole")));
  await rm(at("killed"), { recursive: true });
});

test("interrupted, it ends between two steps, with what is known kept, and says how to go on", async () => {
  const begun = async () => (await readdir(at("ended", "runs")).catch(() => [] as string[])).includes("padim-seed-0");
  const { code, stderr } = await killedWhen("ended", begun, "SIGINT");
  expect(code).toBe(1);
  expect(stderr).toMatch(/ended by SIGINT after \d of 4 results, kept in \S+ended; the same command continues/);
  expect(await readdir(at("ended"))).not.toContain("compare.html");
});

test("again, nothing is measured anew; with other images or options, what they change is, and it says so", async () => {
  const before = figuresOf(await comparisonIn("whole"));
  const again = await bigrid(words("whole", "--json"));
  expect(again).toMatchObject({ code: 0 });
  expect(again.stderr).not.toMatch(/seed 0|Features/);
  expect(figuresOf(JSON.parse(again.stdout) as Comparison)).toEqual(before);
  await cp(at("set"), at("changed"), { recursive: true });
  const one = ["--methods", "padim", "--seeds", "0"];
  const compareOne = (...more: string[]) =>
    bigrid(["compare", at("changed"), "--out", at("one"), ...OPTIONS.slice(0, 4), ...one, ...more]);
  await compareOne();
  await utimes(at("changed", "plate", "train", "good", "000.png"), 1, 1);
  const touched = await compareOne();
  expect(touched.stderr).toContain("1 result was kept under other conditions (changed: the images)");
  expect(touched.stderr).toContain("PaDiM, seed 0");
  const other = await compareOne("--set", "padim.epsilon=0.1");
  expect(other.stderr).toContain("(changed: the options), and will be measured again");
});

test("a method that fails is a row with its reason, the others go on, and the command fails", async () => {
  const { code, stdout, stderr } = await bigrid([
    ...words("whole", "--methods", "grad,padim,simplenet", "--seeds", "0"),
    ...["grad.branches=abnormal", "grad.freeze=branch", "simplenet.learningRate=1e30"].flatMap((one) => ["--set", one]),
  ]);
  expect(code).toBe(1);
  const lines = stdout.split("\n").filter((line) => line.includes(" failed: "));
  expect(lines).toEqual([
    "GRAD failed: grad: expected freeze grids where the abnormal branch is the only one, got branch",
    expect.stringMatching(/^SimpleNet, seed 0 failed: training diverged.*learningRate 1e\+30/),
  ]);
  expect(stderr).not.toContain("PaDiM, seed 0"); // known
  const [grad, padim, simplenet] = (await comparisonIn("whole")).methods;
  expect([grad!.mean, simplenet!.mean, grad!.failures[0]!.seed]).toEqual([null, null, null]);
  expect(padim!.mean!.imageAuroc.value).not.toBeNull();
  expect(await readFile(at("whole", "compare.html"), "utf8")).toContain("failed: grad: expected freeze grids");
});

test("says what is wrong before any work", async () => {
  const refusal = async (...more: string[]) => {
    const { code, stderr } = await bigrid(["compare", at("set", "plate"), "--out", at("none"), ...more]);
    expect(code).toBeGreaterThan(0);
    return stderr;
  };
  expect(await refusal("--methods", "padim,none")).toMatch(/Names with commas of .*padim.* are needed, or all/);
  expect(await refusal("--seeds", "a")).toContain("whole numbers below 2^32");
  expect(await refusal("--methods", "padim", "--set", "grad.rows=1")).toContain("METHOD.name=value");
  expect(await refusal("--backbone", "resnet18")).toContain("resnet18 needs its weights");
  const train = at("set", "plate", "train", "good");
  const { stderr } = await bigrid(["compare", train, "--out", at("none")]);
  expect(stderr).toContain("has no test images");
});

test("its help fits a screen", async () => {
  const { code, stdout } = await bigrid(["compare", "--help"]);
  expect(code).toBe(0);
  expect(stdout.split("\n").length).toBeLessThanOrEqual(52);
  for (const flag of ["--methods", "--seeds", "--backbone", "--set", "--out", "--json"]) expect(stdout).toContain(flag);
});
