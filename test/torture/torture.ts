import { once } from "node:events";
import { copyFile, mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { decodeSafetensors } from "../../src/io/safetensors.ts";
import { writeSyntheticSet } from "../../src/node/synthetic.ts";
import { TrainingFiles } from "../../src/node/training_files.ts";
import { bigrid, PROGRAM } from "../cli/program.ts";
import { Draws } from "../harness/draws.ts";
import { ended, killedAfter, pause, require, start } from "./processes.ts";

/** Result of killing a process again and again. */
export interface Tortured {
  readonly kills: number;
  /** Number of complete runs between kills, or of other completed actions. */
  readonly done: number;
}

/** A temporary folder for everything that is tortured. */
export class Torture {
  readonly #folder: string;
  readonly draws: Draws;
  #seconds = 0;

  private constructor(folder: string, seed: number) {
    this.#folder = folder;
    this.draws = new Draws(seed);
  }

  /** Makes a dataset, and two models of it by undisturbed trainings. */
  static async begin(folder: string, seed: number): Promise<Torture> {
    const torture = new Torture(folder, seed);
    await writeSyntheticSet(torture.at("set"), { size: 64, train: 12, good: 1, defective: 1, seed: 2 });
    for (const [run, words] of [
      ["first", ["--seed", "0"]],
      ["second", ["--seed", "1"]],
    ] as const) {
      const began = performance.now();
      const { code, stderr } = await bigrid(torture.train(run, ...words));
      if (code !== 0) throw new Error(stderr);
      torture.#seconds = (performance.now() - began) / 1000;
    }
    return torture;
  }

  /**
   * Kills a training at random moments and continues it by --resume, to the end and from the beginning. After each kill
   * every saved state is whole, and the last is not older than before; the model, once it exists, equals that of an
   * undisturbed training.
   */
  async training(kills: number): Promise<Tortured> {
    let done = 0;
    let last = 0;
    const run = this.at("trained");
    for (let i = 0; i < kills;) {
      const child = start([PROGRAM, ...this.train("trained", "--seed", "0", "--resume")]);
      if (await killedAfter(child, this.draws.unit() * this.#seconds)) i++;
      const saved = await new TrainingFiles(run).saved();
      for (const { path } of saved)
        require(decodeSafetensors(await readFile(path), path).metadata["format"] ===
          "bigrid-training", `${path} is none`);
      const model = await readFile(join(run, "model.safetensors")).catch(() => null);
      if (!model) {
        const taken = saved[0]?.taken ?? 0;
        require(taken >= last, `${last} steps were saved, now ${taken} are`);
        last = taken;
        continue;
      }
      require(model.equals(
        await readFile(this.at("first", "model.safetensors")),
      ), "the model is another than without kills");
      [done, last] = [done + 1, 0];
      await rm(run, { recursive: true });
    }
    return { kills, done };
  }

  /**
   * Kills `predict --watch` at random moments while images arrive. After each kill, earlier journal entries remain; in
   * the end every table has every image once.
   */
  async watching(kills: number): Promise<Tortured> {
    const [incoming, out] = [this.at("in"), this.at("out")];
    await mkdir(incoming);
    const words = ["predict", this.at("first"), "--watch", incoming, "--out", out, "--settle", "0.1", "--batch", "2"];
    const lines = async (name: string): Promise<string[]> =>
      (await readFile(join(out, name), "utf8").catch(() => "")).split("\n").slice(0, -1);
    let put = 0;
    let before: string[] = [];
    for (let i = 0; i < kills; i++) {
      for (let image = 0; image < 2; image++) {
        await copyFile(this.at("set", "plate", "test", "good", "000.png"), this.at("part"));
        await rename(this.at("part"), join(incoming, `${String(put++).padStart(4, "0")}.png`));
      }
      await killedAfter(start([PROGRAM, ...words]), this.draws.unit() * 3);
      const now = await lines("predict.journal");
      require(before.every((line, at) => line === now[at]), "something that was journaled is so no more");
      before = now;
    }
    const child = start([PROGRAM, ...words]);
    const end = ended(child);
    while ((await lines("predict.journal")).length < put + 1) await pause(20);
    process.kill(child.pid!, "SIGTERM");
    await end;
    const images = (await lines("results.jsonl")).map((line) => (JSON.parse(line) as { image: string }).image);
    require(images.length === put && new Set(images).size === put, `${images.length} lines for ${put} images`);
    require((await lines("results.csv")).length === put + 1, "the table is of another length");
    return { kills, done: put };
  }

  /** Kills a process that saves two models in turn under one name. After each kill the file is exactly one of them. */
  async saving(kills: number): Promise<Tortured> {
    const models = ["first", "second"].map((run) => this.at(run, "model.safetensors"));
    const whole = await Promise.all(models.map((path) => readFile(path)));
    await mkdir(this.at("saved"));
    const file = this.at("saved", "model.safetensors");
    for (let i = 0; i < kills; i++) {
      const saver = [new URL("saver.mjs", import.meta.url).pathname, this.at("saved"), ...models];
      const child = start(saver, [], ["ignore", "pipe", "ignore"]);
      const end = ended(child);
      await once(child.stdout!, "data"); // the first model is saved
      await pause(500 * this.draws.unit());
      process.kill(-child.pid!, "SIGKILL");
      await end;
      const found = await readFile(file);
      require(whole.some((bytes) => bytes.equals(found)), `the file of ${found.length} bytes is neither of the models`);
    }
    return { kills, done: kills };
  }

  /** Number of unfinished files left behind by kills. */
  async leftOver(): Promise<number> {
    return (await readdir(this.#folder, { recursive: true })).filter((name) => name.endsWith(".part")).length;
  }

  /** A path in the folder. */
  at(...names: string[]): string {
    return join(this.#folder, ...names);
  }

  /** The arguments of a short training into that run; later ones take precedence. */
  train(run: string, ...words: string[]): string[] {
    const lengths = [
      "--epochs-abnormal",
      "1",
      "--epochs-normal",
      "1",
      "--set",
      "leastAbnormal=10",
      "--least-normal",
      "60",
      "--set",
      "leastResidual=10",
      "--set",
      "saveEvery=3",
    ];
    return [
      "train",
      this.at("set", "plate"),
      "--out",
      this.at(run),
      "--size",
      "64",
      "--batch",
      "2",
      ...lengths,
      ...words,
    ];
  }
}
