import { Option, type Command } from "commander";
import { BACKBONES, type BackboneName } from "../../backbones/registry.ts";
import {
  estimateMemory,
  planMemoryModel,
  storedMemoryModel,
  type MemoryEstimate,
  type MemoryModel,
} from "../../detection/memory_estimate.ts";
import { readDetectorConfig } from "../../detection/model_file.ts";
import { decodeSafetensors, float32Tensors } from "../../io/safetensors.ts";
import { DEFAULT_METHOD, loadMethod, METHOD_NAMES, type MethodName } from "../../methods/registry.ts";
import { modelPath } from "../../node/detector_file.ts";
import { describeAdapter, openDevice } from "../../node/device.ts";
import { readBytes } from "../../node/files/read.ts";
import type { Device } from "../../runtime/device.ts";
import { OptionError } from "../../runtime/errors.ts";
import { wholeNumber } from "../flags/numbers.ts";
import { collectSettings, valuesOfSettings } from "../flags/option_flags.ts";
import { MEGABYTE, print } from "../terminal/say.ts";

interface InfoFlags {
  readonly json?: boolean;
  readonly model?: string;
  readonly method?: MethodName;
  readonly backbone?: BackboneName;
  readonly stages?: string;
  readonly size?: number;
  readonly set?: readonly string[];
  readonly batch?: number;
  readonly half?: boolean;
}

const MATRICES = "products on units for matrices, where --autotune finds them right and faster";

const BENEFITS: Readonly<Record<string, string>> = {
  "shader-f16": "half the memory traffic for features",
  "timestamp-query": "exact GPU times in benchmarks and profiles",
  "subgroup-matrix": MATRICES,
  "chromium-experimental-subgroup-matrix": MATRICES,
};

export function addInfo(program: Command): void {
  program
    .command("info")
    .description("adapter, driver, limits and features, and what is missing for speed; the memory that a model needs")
    .option("--model <run>", "a run's folder or a model's file: the memory that training and scoring like it take")
    .addOption(
      new Option("--method <name>", `the same of a model that is not there yet (default: ${DEFAULT_METHOD})`).choices(
        METHOD_NAMES,
      ),
    )
    .addOption(new Option("--backbone <name>", "its backbone (default: embedded)").choices(BACKBONES))
    .option("--stages <names>", "the backbone's stages that it uses, with commas")
    .option("--size <pixels>", "side of the square that its images are resized to (default: 224)", wholeNumber(64))
    .option("--set <name=value>", "an option of its method, such as batch=16; may be repeated", collectSettings)
    .option("--batch <n>", "images scored at a time (default: 1)", wholeNumber(1))
    .option("--half", "with predict's --half")
    .option("--json", "one JSON object instead of text")
    .action(async ({ json, ...flags }: InfoFlags) => {
      const report = await describeAdapter();
      const memory = await measureMemory(flags);
      if (json) return print(JSON.stringify({ ...report, ...(memory && { memory }) }));
      const { adapter, features, missing, matrices, limits, switches = [] } = report;
      const megabytes = (limit: string): string => `${Math.floor(limits[limit]! / MEGABYTE)} MB`;
      print(`adapter   ${adapter.description}${adapter.vendor ? ` (${adapter.vendor})` : ""}`);
      print(`kind      ${adapter.software ? "software adapter (CPU): correct results, low speed" : "GPU"}`);
      for (const feature of features.filter((name) => name in BENEFITS && !missing.includes(name)))
        print(`uses      ${feature}: ${BENEFITS[feature]}`);
      print(
        `memory    buffers of at most ${megabytes("maxBufferSize")}, of which a kernel sees ${megabytes("maxStorageBufferBindingSize")} at a time`,
      );
      if (memory) printMemory(memory);
      for (const { name, on, purpose } of switches) print(`switch    ${name} ${on ? "on" : "off"}: ${purpose}`);
      for (const feature of missing) {
        const offered = features.includes(feature) ? `; the driver offers ${matrices.join(", ") || "none"}` : "";
        print(`missing   ${feature}: ${BENEFITS[feature] ?? "would be used"}${offered}`);
      }
      if (adapter.software)
        print("missing   a GPU: with its Vulkan, Metal or Direct3D 12 driver installed, it would be used by itself");
      print("all features and limits of the adapter: bigrid info --json");
    });
}

/** The memory of the model that the flags name; null where they name none. */
async function measureMemory({
  model,
  method,
  backbone,
  stages,
  size,
  set,
  batch,
  half,
}: Omit<InfoFlags, "json">): Promise<MemoryEstimate | null> {
  if (Object.values({ model, method, backbone, stages, size, set, batch, half }).every((flag) => flag === undefined))
    return null;
  if (model !== undefined && (method ?? backbone ?? stages ?? size) !== undefined) {
    throw new OptionError(
      "--model says what method, backbone and size there are: leave out --method, --backbone, --stages and --size",
    );
  }
  const device = await openDevice();
  const told = { method, backbone, stages: stages?.split(","), inputSize: size };
  const kind =
    model === undefined ? await planModel(device, told, set) : await modelIn(device, await modelPath(model), set);
  return estimateMemory(device, kind, { batch, half });
}

async function planModel(
  device: Device,
  {
    method = DEFAULT_METHOD,
    ...told
  }: { readonly method: MethodName | undefined } & Parameters<typeof planMemoryModel>[1],
  set: readonly string[] = [],
): Promise<MemoryModel> {
  const { options: table } = await loadMethod(method);
  return planMemoryModel(device, { ...told, method, options: valuesOfSettings(set, [[`method ${method}`, table]]) });
}

async function modelIn(device: Device, path: string, set: readonly string[] = []): Promise<MemoryModel> {
  const { tensors, metadata } = decodeSafetensors(await readBytes(path), path);
  const config = await readDetectorConfig(metadata, path);
  const { name, options: table } = await loadMethod(config.method.name);
  return storedMemoryModel(
    device,
    config,
    float32Tensors(tensors, path),
    path,
    valuesOfSettings(set, [[`method ${name}`, table]]),
  );
}

const MEBIBYTE = 2 ** 20;

function printMemory({ backbone, method, options, training, inference }: MemoryEstimate): void {
  const mebibytes = (bytes: number): string => `${Math.ceil(bytes / MEBIBYTE)} MiB`;
  const features = `each image's features ${(training.featureBytes / MEGABYTE).toFixed(2)} MB more`;
  const told = Object.entries(options)
    .filter(([name, value]) => typeof value === "string" || name === "batch")
    .map((one) => one.join(" "));
  print(
    `needs     ${mebibytes(training.bytes)} to train ${[method, ...told].join(", ")} on ${backbone ?? "pixels"}; ${features}`,
  );
  const images = inference.batch === 1 ? "image" : "images";
  print(
    `needs     ${mebibytes(inference.bytes)} to score ${inference.batch} ${images} at a time${inference.half ? ", in half precision" : ""}`,
  );
}
