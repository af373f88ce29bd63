import { Option, type Command } from "commander";
import { decodeSafetensors } from "../../io/safetensors.ts";
import { BACKBONES, type BackboneName } from "../../backbones/registry.ts";
import { detectorConfigOf } from "../../detection/model_file.ts";
import { DECODERS, type DecoderName } from "../../methods/grad/config.ts";
import { memoryModelOf, memoryNeedOf, type MemoryNeed } from "../../detection/memory_estimate.ts";
import { modelPath } from "../../node/detector_file.ts";
import { describeAdapter, openDevice } from "../../node/device.ts";
import { readBytes } from "../../node/files.ts";
import { OptionError } from "../../runtime/errors.ts";
import { wholeNumber } from "../numbers.ts";
import { print } from "../output.ts";

interface InfoFlags {
  readonly json?: boolean;
  readonly model?: string;
  readonly backbone?: BackboneName;
  readonly decoder?: DecoderName;
  readonly size?: number;
  readonly batch?: number;
  readonly recompute?: boolean;
  readonly half?: boolean;
}

const BENEFITS: Readonly<Record<string, string>> = {
  "shader-f16": "half the memory traffic for features",
  "timestamp-query": "exact GPU times in benchmarks and profiles",
  "chromium-experimental-subgroup-matrix": "products in half precision on matrix units, where --autotune finds them right and faster",
};

const MEGABYTE = 1e6;

export function addInfo(program: Command): void {
  program
    .command("info")
    .description("adapter, driver, limits and features, and what is missing for speed; the memory that a model needs")
    .option("--model <run>", "a run's folder or a model's file: what training and judging like it needs")
    .addOption(new Option("--backbone <name>", "the same of a model that is not there yet (default: embedded)").choices(BACKBONES))
    .addOption(new Option("--decoder <name>", "its size (default: as train's)").choices(DECODERS))
    .option("--size <pixels>", "side of the square that its images are resized to (default: 224)", wholeNumber(64))
    .option("--batch <n>", "images a step, and images judged at a time (default: as train's, and 1)", wholeNumber(1))
    .option("--recompute", "with train's --recompute")
    .option("--no-recompute", "with train's --no-recompute")
    .option("--half", "with predict's --half")
    .option("--json", "one JSON object instead of text")
    .action(async ({ json, ...flags }: InfoFlags) => {
      const report = await describeAdapter();
      const memory = await memoryOf(flags);
      if (json) return print(JSON.stringify({ ...report, ...(memory && { memory }) }));
      const { adapter, features, missing, limits } = report;
      const megabytes = (limit: string): string => `${Math.floor(limits[limit]! / MEGABYTE)} MB`;
      print(`adapter   ${adapter.description}${adapter.vendor ? ` (${adapter.vendor})` : ""}`);
      print(`kind      ${adapter.software ? "software: right, and slow; the decoder defaults to tiny" : "GPU; the decoder defaults to mobile"}`);
      for (const feature of features.filter((name) => name in BENEFITS && !missing.includes(name))) print(`uses      ${feature}: ${BENEFITS[feature]}`);
      print(`memory    buffers of at most ${megabytes("maxBufferSize")}, of which a kernel sees ${megabytes("maxStorageBufferBindingSize")} at a time`);
      if (memory) printMemory(memory);
      for (const feature of missing) print(`missing   ${feature}: ${BENEFITS[feature] ?? "would be used"}`);
      if (adapter.software) print("missing   a GPU: with its Vulkan, Metal or Direct3D 12 driver installed, it would be used by itself");
      print("all features and limits of the adapter: bigrid info --json");
    });
}

/** What the model that the flags name needs; null where they name none. */
async function memoryOf({ model, backbone, decoder, size, batch, recompute, half }: Omit<InfoFlags, "json">): Promise<MemoryNeed | null> {
  if (Object.values({ model, backbone, decoder, size, batch, recompute, half }).every((flag) => flag === undefined)) return null;
  if (model !== undefined && (backbone ?? decoder ?? size) !== undefined) {
    throw new OptionError("--model says what backbone, decoder and size there are: leave out --backbone, --decoder and --size");
  }
  const device = await openDevice();
  const path = model === undefined ? null : await modelPath(model);
  const config = path === null ? null : detectorConfigOf(decodeSafetensors(await readBytes(path), path).metadata, path);
  const kind = config
    ? { backbone: config.backbone.name, inputSize: config.inputSize, grad: config.grad }
    : await memoryModelOf(device, { backbone, decoder, size });
  return memoryNeedOf(device, kind, { batch, recompute, half });
}

const MEBIBYTE = 2 ** 20;

function printMemory({ backbone, decoder, training, inference }: MemoryNeed): void {
  const mebibytes = (bytes: number): string => `${Math.ceil(bytes / MEBIBYTE)} MiB`;
  const how = training.recompute ? "blocks computed twice" : "all activations kept";
  const features = `each image's features ${(training.featureBytes / MEGABYTE).toFixed(2)} MB more`;
  print(`needs     ${mebibytes(training.bytes)} to train ${decoder} on ${backbone}, ${training.batch} images a step, ${how}; ${features}`);
  print(`needs     ${mebibytes(inference.bytes)} to judge, ${inference.batch} ${inference.batch === 1 ? "image" : "images"} at a time${inference.half ? ", in half precision" : ""}`);
}
