import type { Command } from "commander";
import { describeAdapter } from "../../node/device.ts";
import { print } from "../output.ts";

const BENEFITS: Readonly<Record<string, string>> = {
  "shader-f16": "half the memory traffic for features",
  "timestamp-query": "exact GPU times in benchmarks and profiles",
  subgroups: "faster reductions and matrix products",
};

const MEGABYTE = 1e6;

export function addInfo(program: Command): void {
  program
    .command("info")
    .description("adapter, driver, limits and features, and what is missing for speed")
    .option("--json", "one JSON object instead of text")
    .action(async ({ json }: { json?: boolean }) => {
      const report = await describeAdapter();
      if (json) return print(JSON.stringify(report));
      const { adapter, features, missing, limits } = report;
      const megabytes = (limit: string): string => `${Math.floor(limits[limit]! / MEGABYTE)} MB`;
      print(`adapter   ${adapter.description}${adapter.vendor ? ` (${adapter.vendor})` : ""}`);
      print(`kind      ${adapter.software ? "software: right, and slow; the decoder defaults to tiny" : "GPU; the decoder defaults to mobile"}`);
      for (const feature of features.filter((name) => name in BENEFITS)) print(`uses      ${feature}: ${BENEFITS[feature]}`);
      print(`memory    buffers of at most ${megabytes("maxBufferSize")}, of which a kernel sees ${megabytes("maxStorageBufferBindingSize")} at a time`);
      for (const feature of missing) print(`missing   ${feature}: ${BENEFITS[feature] ?? "would be used"}`);
      if (adapter.software) print("missing   a GPU: with its Vulkan, Metal or Direct3D 12 driver installed, it would be used by itself");
      print("all features and limits of the adapter: bigrid info --json");
    });
}
