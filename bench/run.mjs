// Benchmarks, loaded through Vite, which can import .wgsl: npm run bench -- --help
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { runnerImport } from "vite";
import { wgsl } from "../tools/build/vite_wgsl.mjs";

const ALL = ["kernels", "grad"];
const FOLDERS = {
  kernels: "kernels",
  metrics: "kernels",
  grad: "training",
  bounds: "training",
  accuracy: "accuracy",
  few_images: "accuracy",
  suspects: "accuracy",
  pictures: "accuracy",
};
const RESULTS = "bench/results";
const USAGE = `usage: npm run bench -- [NAME] [OPTION...]

Measures kernels and training steps, each in its own process, and writes bench/results/NAME.<adapter>.json.

NAME: ${Object.keys(FOLDERS).join(", ")}; without it ${ALL.join(" and ")}

  --against FILE   measures the rows of an earlier report again and compares; exits with 1 if a row is slower; writes nothing
  --rows WORD...   measures only rows with one of these words in their names; writes nothing
  --seconds N      begins no row after N seconds
  --unchecked      measures again on a device without the driver's checks, for a second column
  --out DIR        writes the reports there, also with --rows and --against
  --page           writes a page with a roofline plot of all rows beside the reports, too
  --help           prints this`;
const OPTIONS = new Set([...USAGE.matchAll(/^ {2}(--\w+)/gm)].map(([, option]) => option));

const load = (file) =>
  runnerImport(file, { configFile: false, logLevel: "warn", plugins: [wgsl()], oxc: { target: "es2022" } });

const words = process.argv.slice(2);
/** Ends with the usage or, for an option that there is not, with a line on standard error. */
function requireKnownOptions() {
  if (words.includes("--help")) {
    console.log(USAGE);
    process.exit(0);
  }
  const unknown = words.find((word) => word.startsWith("--") && !OPTIONS.has(word) && word !== "--part");
  if (unknown === undefined) return;
  console.error(`unknown option ${unknown}; npm run bench -- --help lists them`);
  process.exit(2);
}

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

if (FOLDERS[name] !== "accuracy") requireKnownOptions(); // these have command lines of their own
if (name && !FOLDERS[name]) {
  console.error(`no benchmark ${name}; there are ${Object.keys(FOLDERS).join(", ")}`);
  process.exit(2);
}
if (!name || words.includes("--page")) {
  process.exit(await measureEach(name ? [name] : ALL, name === first ? words.slice(1) : words));
}
await load(`./bench/${FOLDERS[name]}/${name}.bench.ts`);
