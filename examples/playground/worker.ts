// All work of the page: the device, training, inspecting. The page itself only shows what it is told, so it stays
// responsive.
import { openWeights } from "../../src/browser/weights.ts";
import { openDevice } from "../../src/browser/device.ts";
import { decodeImage } from "../../src/browser/images.ts";
import { synthesise, type SyntheticImage } from "../../src/data/synthetic.ts";
import type { DecodedImage } from "../../src/io/image.ts";
import { isPretrained, type BackboneName } from "../../src/backbones/registry.ts";
import { decodeDetector, encodeDetector } from "../../src/detection/model_file.ts";
import type { Detector } from "../../src/detection/detector.ts";
import type { Inspection } from "../../src/detection/inspection.ts";
import type { PretrainedWeights } from "../../src/backbones/weights.ts";
import type { TrainingImage } from "../../src/detection/views.ts";
import { Training } from "../../src/detection/training.ts";
import type { TrainingProgress } from "../../src/detection/training_options.ts";
import type { Device } from "../../src/runtime/device.ts";
import {
  AdapterError,
  DeviceLostError,
  InputError,
  OutOfMemoryError,
  TooLargeError,
} from "../../src/runtime/errors.ts";
import { downloadWeights } from "./hub.ts";
import {
  forgetTraining,
  keepModel,
  keepPictures,
  keepState,
  keepWeights,
  keptModel,
  keptTraining,
  keptWeights,
  leftTraining,
} from "./keep.ts";
import type { Picture, Reply, Request, TrainingChoice, Trouble } from "./protocol.ts";

const CLASS = "good"; // pictures of a page are of one kind
const KEEP_EVERY_MILLISECONDS = 2000; // at the least, between two epochs that are kept: small sets have very short ones

const DECODING_MILLISECONDS = 30_000; // after which a picture is given up: the next ones wait for it

const SAMPLES = { size: 192, train: 24, good: 8, defective: 4, seed: 1 };

const tell = (reply: Reply, transfer: Transferable[] = []): void => self.postMessage(reply, { transfer });
const tellFailure = (error: unknown): void => tell({ kind: "failed", ...troubleOf(error) });

class Workshop {
  #device: Device | null = null;
  #detector: Detector | null = null;
  #model: Uint8Array<ArrayBuffer> | null = null;
  #good: readonly number[] = [];
  #isStopping = false;
  #work: Promise<void> = Promise.resolve();

  /** Takes requests one after another; only stopping, and losing the device on purpose, cannot wait. */
  accept(request: Request): void {
    if (request.kind === "stop") this.#isStopping = true;
    else if (request.kind === "lose") this.#device?.gpu.destroy();
    else this.#work = this.#work.then(() => this.#answer(request)).catch(tellFailure);
  }

  async #answer(request: Exclude<Request, { kind: "stop" | "lose" }>): Promise<void> {
    switch (request.kind) {
      case "open":
        return this.#open();
      case "samples":
        return tell({ kind: "samples", ...(await sampleSet()) });
      case "weights":
        return this.#weights(request.name, request.file);
      case "train":
        await keepPictures(request.pictures, request.choice);
        return this.#train(request.pictures, request.choice, null);
      case "resume": {
        const kept = await keptTraining();
        if (!kept) throw new InputError("there is no training to go on with");
        return this.#train(kept.pictures, kept.choice, kept.state);
      }
      case "inspect":
        return this.#inspect(request.id, request.image);
      case "save":
        if (!this.#model) throw new InputError("there is no model yet: train one first");
        return tell({ kind: "model", file: new Blob([this.#model], { type: "application/octet-stream" }) });
      case "load":
        await this.#load(new Uint8Array(await request.file.arrayBuffer()), request.name);
        return keepModel(this.#model!);
      case "forget":
        return forgetTraining();
    }
  }

  async #open(): Promise<void> {
    const device = await this.#ready();
    const { description, software } = device.adapter;
    const [left, model] = [await leftTraining(), await keptModel()];
    tell({ kind: "opened", adapter: description, software, left });
    if (model && !left) await this.#load(new Uint8Array(await model.arrayBuffer()), model.name).catch(tellFailure);
  }

  /** The device; a new one if the last was lost. */
  async #ready(): Promise<Device> {
    if (this.#device) return this.#device;
    const device = (this.#device = await openDevice());
    void device.lost.then(({ message }) => {
      if (this.#device !== device) return;
      [this.#device, this.#detector] = [null, null];
      tell({ kind: "failed", trouble: "lost", message });
    });
    return device;
  }

  async #weights(name: BackboneName, file: Blob | null): Promise<void> {
    if (!isPretrained(name)) return;
    const blob = file ?? (await downloadWeights(name, (done, total) => tell({ kind: "weights", name, done, total })));
    await openWeights(blob, { name }); // refused before it is kept
    await keepWeights(name, blob);
    tell({ kind: "weights", name, done: blob.size, total: blob.size });
  }

  async #train(pictures: readonly Picture[], choice: TrainingChoice, state: Uint8Array | null): Promise<void> {
    this.#isStopping = false;
    const device = await this.#ready();
    const weights = await findWeights(choice.backbone);
    const onProgress = (progress: TrainingProgress): void => {
      if (progress.phase === "features") tell({ kind: "features", done: progress.done, total: pictures.length });
    };
    const training = await Training.begin(device, decoded(pictures), { ...choice, weights, onProgress });
    try {
      if (state) training.resume(state, "the training that was left");
      const keep = async () => {
        await keepState((await training.save()) as Uint8Array<ArrayBuffer>, training.taken);
        tell({ kind: "kept", taken: training.taken });
      };
      let [epoch, keptAt] = ["", performance.now()];
      for await (const step of training.fit()) {
        tell({ kind: "step", ...step });
        const now = `${step.model} ${step.stage} ${step.epoch}`;
        if (now !== epoch && performance.now() - keptAt > KEEP_EVERY_MILLISECONDS) {
          await keep();
          keptAt = performance.now();
        }
        epoch = now;
        if (this.#isStopping) {
          await keep();
          training.release();
          return tell({ kind: "stopped", left: (await leftTraining())! });
        }
      }
      const detector = await training.finish();
      this.#good = training.heldOut.map(({ score }) => score);
      await this.#finished(detector, (await encodeDetector(detector)) as Uint8Array<ArrayBuffer>);
      await keepModel(this.#model!);
      await forgetTraining();
    } catch (error) {
      if (this.#device === device) training.release();
      throw error;
    }
  }

  async #load(file: Uint8Array<ArrayBuffer>, name: string): Promise<void> {
    const device = await this.#ready();
    const detector = await decodeDetector(device, file, name, {
      findWeights: ({ name: backbone }) => findWeights(backbone),
    });
    this.#good = [];
    await this.#finished(detector, file);
  }

  async #finished(detector: Detector, model: Uint8Array<ArrayBuffer>): Promise<void> {
    this.#detector?.release();
    [this.#detector, this.#model] = [detector, model];
    tell({ kind: "ready", calibration: detector.config.calibration, good: this.#good });
  }

  async #inspect(id: number, source: Blob | ImageBitmap): Promise<void> {
    try {
      // After a lost device the model is at hand, and the device is not.
      if (!this.#detector && this.#model) await this.#load(this.#model, "the model");
      const detector = this.#detector;
      if (!detector) throw new InputError("there is no model yet: train one, or load one");
      const image = await decodedInTime(source);
      const [inspection] = (await detector.inspect([{ image }])) as [Inspection];
      const map = Float32Array.from(inspection.map);
      tell({ kind: "inspected", id, ...inspection, map }, [map.buffer]);
    } catch (error) {
      const { trouble, message } = troubleOf(error);
      tell({ kind: "refused", id, message });
      if (trouble !== "input") throw error;
    }
  }
}

/** Pictures of a made-up part, good and defective. */
async function sampleSet(): Promise<{ readonly good: Picture[]; readonly test: Picture[] }> {
  const plate = synthesise(SAMPLES).find(({ name }) => name === "plate")!;
  const pictureOf = async ({ name, defect, rgba }: SyntheticImage): Promise<Picture> => {
    const { size } = SAMPLES;
    const canvas = new OffscreenCanvas(size, size);
    canvas.getContext("2d")!.putImageData(new ImageData(new Uint8ClampedArray(rgba), size, size), 0, 0);
    return { name: `${defect}/${name}.png`, file: await canvas.convertToBlob() };
  };
  return { good: await Promise.all(plate.train.map(pictureOf)), test: await Promise.all(plate.test.map(pictureOf)) };
}

async function* decoded(pictures: readonly Picture[]): AsyncGenerator<TrainingImage> {
  for (const { name, file } of pictures) yield { className: CLASS, image: await namedImage(name, file) };
}

/**
 * A decoded picture. A browser's decoder cannot be stopped: one that takes too long is left behind, so that the next
 * picture goes on.
 */
async function decodedInTime(source: Blob | ImageBitmap): Promise<DecodedImage> {
  let timer: ReturnType<typeof setTimeout>;
  const late = new Promise<never>((_done, fail) => {
    const reason = `cannot read the image: it took more than ${DECODING_MILLISECONDS / 1000} s to decode`;
    timer = setTimeout(() => fail(new InputError(reason)), DECODING_MILLISECONDS);
  });
  return Promise.race([decodeImage(source), late]).finally(() => clearTimeout(timer));
}

async function namedImage(name: string, file: Blob): Promise<DecodedImage> {
  return decodedInTime(file).catch((error: unknown) => {
    throw new InputError(`${name}: ${(error as Error).message}; take it out and train again`, { cause: error });
  });
}

async function findWeights(name: string): Promise<PretrainedWeights | null> {
  if (!isPretrained(name)) return null;
  const file = await keptWeights(name);
  if (!file)
    throw new InputError(`${name} needs its weights: choose a safetensors file of them, or download them from the hub`);
  return openWeights(file, { name });
}

function troubleOf(error: unknown): { readonly trouble: Trouble; readonly message: string } {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof AdapterError) return { trouble: "unsupported", message };
  if (error instanceof DeviceLostError) return { trouble: "lost", message };
  // A RangeError is the page's own: an array that it has no memory for.
  if ([OutOfMemoryError, TooLargeError, RangeError].some((kind) => error instanceof kind))
    return { trouble: "memory", message };
  return { trouble: "input", message };
}

const workshop = new Workshop();
self.addEventListener("message", ({ data }: MessageEvent<Request>) => workshop.accept(data));
