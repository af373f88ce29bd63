// node bench/run.mjs grad   loads bench/training/grad.bench.ts through Vite, which can import .wgsl
// node bench/run.mjs        measures kernels and training steps, each in its own process
// node bench/run.mjs --against bench/results/grad.llvmpipe.json   measures the rows of that file again and compares
// node bench/run.mjs kernels --rows depthwise grid_sample   measures only rows with one of these in their names, and
// writes nothing
// node bench/run.mjs --seconds N   begins no row after N seconds
// node bench/run.mjs --out DIR   writes the reports there, also with --rows and --against
// node bench/run.mjs --page   writes a page with a roofline plot of all rows beside the reports, too
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { runnerImport } from "vite";
import { wgsl } from "../tools/build/vite_wgsl.mjs";

const ALL = ["kernels", "grad"];
const FOLDERS = { kernels: "kernels", metrics: "kernels", grad: "training", bounds: "training", accuracy: "accuracy" };
const RESULTS = "bench/results";

const load = (file) =>
  runnerImport(file, { configFile: false, logLevel: "warn", plugins: [wgsl()], oxc: { target: "es2022" } });

const words = process.argv.slice(2);
const valueBehind = (option) => (words.includes(option) ? words[words.indexOf(option) + 1] : undefined);
const against = valueBehind("--against");
const [first] = words;
// Default: the benchmark that wrote the file.
const name =
  first && !first.startsWith("--") ? first : words.includes("--against") ? basename(against ?? "").split(".")[0] : null;

/** Exit code of measuring each in its own process, and of the page. */
async function measureEach(names, options) {
  const paged = options.includes("--page");
  const parts = paged ? mkdtempSync(join(tmpdir(), "bigrid-bench-")) : null;
  const given = [...options.filter((word) => word !== "--page"), ...(paged ? ["--part", parts] : [])];
  const codes = names.map(
    (each) => spawnSync(process.execPath, [import.meta.filename, each, ...given], { stdio: "inherit" }).status,
  );
  if (paged) {
    const { module } = await load("./bench/roofline/page.ts");
    const folder = valueBehind("--out") ?? RESULTS;
    mkdirSync(folder, { recursive: true });
    console.log((await module.writePage(parts, folder)) ?? "no rows, no page");
    rmSync(parts, { recursive: true });
  }
  return codes.every((code) => code === 0) ? 0 : 1;
}

if (name && !FOLDERS[name]) throw new Error(`no benchmark ${name}; there are ${Object.keys(FOLDERS).join(", ")}`);
if (!name || words.includes("--page")) {
  process.exit(await measureEach(name ? [name] : ALL, name === first ? words.slice(1) : words));
}
await load(`./bench/${FOLDERS[name]}/${name}.bench.ts`);
