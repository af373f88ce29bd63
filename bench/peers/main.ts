// Compares bigrid with other WebGPU libraries: the same seeded work, in one run on one adapter. Each library has a
// process of its own. For each row all libraries are prepared, their results are checked, and then they run in turn,
// round by round. Writes bench/results/peers.<adapter>.json and the tables of docs/performance.md.
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command, Option } from "commander";
import { networkProblems } from "./network.ts";
import { Peer, type Library, type MemoryReply, type Reply } from "./peer.ts";
import { errorOf, problems, type Problem } from "./problems.ts";
import { median, networksTable, timesTable, withTables, type Result, type Row } from "./table.ts";

const NETWORKS = /efficientnet/;
const NETWORK_NAMES = ["efficientnet-b4", "efficientnet-b6"] as const;
const BATCHES = [1, 16];
const PAGE = "docs/performance.md";
const ROW_MILLISECONDS = 60_000; // after this time, LEAST_ROUNDS suffice for a row
const LEAST_ROUNDS = 3;
const LONG_MILLISECONDS = 120_000; // after a first round of this time, one more is enough

const LIBRARIES: readonly Library[] = [
  { name: "bigrid", module: "bigrid" },
  { name: "bigrid captured", module: "bigrid", options: { captured: true } },
  { name: "bigrid f16", module: "bigrid", options: { dtype: "f16" }, only: NETWORKS, tolerance: 1e-2 },
  { name: "TensorFlow.js", module: "tfjs" },
  { name: "jax-js", module: "jax" },
  { name: "jax-js with value", module: "jax", options: { value: true } },
  { name: "onnxruntime-node", module: "onnxruntime", options: { runtime: "node" } },
  // V8's optimising compiler takes minutes over this WebAssembly; its baseline compiler's code is enough.
  { name: "onnxruntime-web", module: "onnxruntime", options: { runtime: "web" }, flags: ["--liftoff-only"] },
];

interface Options {
  readonly rows: string[] | undefined;
  readonly libraries: string[] | undefined;
  readonly repeats: number;
  readonly dry: boolean;
}

interface Report {
  readonly adapter: string;
  readonly node: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly rows: readonly Row[];
}

const rounded = (value: number): number => Number(value.toPrecision(4));

/** Opens every library on a problem and measures those that support it. */
class Round {
  readonly results: Record<string, Result> = {};
  readonly #problem: Problem;
  readonly #peers = new Map<
    string,
    { readonly peer: Peer; readonly first: number; readonly error: number; readonly times: number[] }
  >();

  constructor(problem: Problem) {
    this.#problem = problem;
  }

  /** @returns the library's reply */
  async prepare(
    library: Library,
    expected: () => readonly ArrayLike<number>[],
  ): Promise<{ readonly version?: string; readonly adapter?: string }> {
    const { name, inputs, settings = {}, tolerance, kind = name } = this.#problem;
    const peer = new Peer(library);
    const drop = async (failed?: string) => {
      if (failed !== undefined) this.results[library.name] = { failed };
      await peer.close();
      return opened;
    };
    const opened = await peer.ask<{ version?: string; adapter?: string }>({ do: "open" });
    if (opened.error !== undefined) return drop(opened.error);
    const reply = await peer.ask<Reply>({ do: "prepare", problem: { name: kind, inputs, settings } });
    if (reply.error !== undefined) return drop(reply.error);
    if (reply.missing) return drop();
    const error = errorOf(this.#problem, reply.outputs, expected());
    if (!(error <= Math.max(tolerance, library.tolerance ?? 0)))
      return drop(`wrong: relative error ${error.toExponential(1)}`);
    this.#peers.set(library.name, { peer, first: reply.milliseconds, error, times: [] });
    return opened;
  }

  async #once(record: boolean): Promise<void> {
    for (const [name, { peer, times }] of this.#peers) {
      const reply = await peer.ask<Reply>({ do: "run" });
      if (reply.error !== undefined) {
        this.results[name] = { failed: reply.error };
        this.#peers.delete(name);
        await peer.close();
      } else if (record) times.push(reply.milliseconds);
    }
  }

  /** Runs the libraries in turn. */
  async measure(repeats: number): Promise<void> {
    const start = performance.now();
    await this.#once(false);
    const least = performance.now() - start > LONG_MILLISECONDS ? 1 : LEAST_ROUNDS;
    const end = performance.now() + ROW_MILLISECONDS;
    for (let round = 0; round < repeats && (round < least || performance.now() < end); round++) await this.#once(true);
    for (const [name, { peer, first, error, times }] of this.#peers) {
      const milliseconds = { median: rounded(median(times)), min: rounded(Math.min(...times)), runs: times.length };
      const { deviceBytes, residentBytes } = await peer.ask<MemoryReply>({ do: "memory" });
      const memory = this.#problem.images === undefined ? {} : { deviceBytes, residentBytes };
      this.results[name] = { milliseconds, first: rounded(first), error: Number(error.toPrecision(2)), ...memory };
    }
  }

  async close(): Promise<void> {
    for (const { peer } of this.#peers.values()) await peer.close();
  }
}

const gitCommit = (): string => execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();

export async function main(args: readonly string[]): Promise<number> {
  const names = LIBRARIES.map(({ name }) => name);
  const command = new Command("bench:peers")
    .description("measures bigrid beside other WebGPU libraries")
    .option("--rows <names...>", "only rows with this in their names: matmul, efficientnet-b4 ...")
    .addOption(new Option("--libraries <names...>", "only these").choices(names))
    .option("--repeats <count>", "runs of each library", Number, 9)
    .option("--dry", "print, and write neither results nor page", false)
    .parse(args, { from: "user" });
  const options = command.opts<Options>();
  const libraries = LIBRARIES.filter(({ name }) => !options.libraries || options.libraries.includes(name));

  const folder = mkdtempSync(join(tmpdir(), "bigrid-peers-"));
  const versions: Record<string, string> = {};
  const rows: Row[] = [];
  let adapter = "";
  try {
    const wanted = NETWORK_NAMES.filter(
      (name) => !options.rows || options.rows.some((row) => row.includes(name) || name.includes(row)),
    );
    const networks = wanted.map((name) => networkProblems(name, BATCHES, join(folder, `${name}.safetensors`)));
    const all = [...problems(), ...(await Promise.all(networks)).flat()];
    for (const problem of all.filter(({ name }) => !options.rows || options.rows.some((row) => name.includes(row)))) {
      const round = new Round(problem);
      let known: readonly ArrayLike<number>[] | null = null;
      try {
        for (const library of libraries) {
          if (library.only && !library.only.test(problem.name)) continue;
          const opened = await round.prepare(library, () => (known ??= problem.expected()));
          if (opened.version) versions[library.name] = opened.version;
          adapter ||= opened.adapter ?? "";
        }
        await round.measure(options.repeats);
      } finally {
        await round.close();
      }
      const { name, title, images } = problem;
      const date = new Date().toISOString().slice(0, 10);
      const row = {
        name,
        title,
        ...(images !== undefined && { images }),
        commit: gitCommit(),
        date,
        results: round.results,
      };
      rows.push(row);
      console.log(`${row.title} (${row.name}):`);
      for (const [name, result] of Object.entries(row.results)) console.log(`  ${name.padEnd(18)} ${lineOf(result)}`);
      if (!options.dry) write({ adapter, node: process.version, versions, rows });
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  return 0;
}

function lineOf({ milliseconds, first, error, deviceBytes, residentBytes, failed }: Result): string {
  if (!milliseconds) return failed!;
  const memory =
    deviceBytes === undefined
      ? ""
      : `, ${deviceBytes ?? "?"} bytes of buffers, resident set grown by ${residentBytes ?? "?"}`;
  return `${milliseconds.median} ms (min ${milliseconds.min}, first ${first}), error ${error}${memory}`;
}

/** Measured rows replace those of the same name from an earlier run. */
function write(report: Report): void {
  const path = `bench/results/peers.${report.adapter.split(/[^A-Za-z0-9]+/)[0]!.toLowerCase()}.json`;
  const former = existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as Report) : null;
  const order = [
    ...problems().map(({ name }) => name),
    ...NETWORK_NAMES.flatMap((name) => BATCHES.map((batch) => `${batch} x ${name}`)),
  ];
  const byName = new Map([...(former?.rows ?? []), ...report.rows].map((row) => [row.name, row]));
  const rows = order.flatMap((name) => byName.get(name) ?? []);
  const whole = { ...report, versions: { ...former?.versions, ...report.versions }, rows };
  writeFileSync(path, `${JSON.stringify(whole, null, 1)}\n`);
  writeFileSync(PAGE, withTables(readFileSync(PAGE, "utf8"), tablesOf(whole)));
}

function tablesOf({ rows }: Report): string {
  const [single, networks] = [
    rows.filter(({ images }) => images === undefined),
    rows.filter(({ images }) => images !== undefined),
  ];
  const columns = (of: readonly Row[]) =>
    LIBRARIES.map(({ name }) => name).filter((name) => of.some(({ results }) => results[name]));
  return [timesTable(single, columns(single)), networksTable(networks, columns(networks))].join("\n\n");
}
