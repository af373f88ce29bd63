// Makes one HTML page, without requests to anywhere, of the reports of benchmarks: a roofline plot and a table each.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build, type Rolldown } from "vite";
import type { Roofs } from "../../src/kernels/roofs.ts";
import { nameOfInference, nameOfStep, type InferenceRow, type StepRow } from "../training/grad_rows.ts";
import { figure, rooflineOf, type Rate } from "./points.ts";

/** The data of a plot, in the page as JSON. */
export interface PlotData {
  readonly roofs: Roofs;
  readonly rates: readonly Rate[];
}

interface Head {
  readonly adapter: { readonly description: string };
  readonly commit: string | null;
  readonly date: string;
  readonly roofs: Roofs;
}
type Work = Omit<Rate, "kernel" | "what" | "milliseconds"> & { readonly milliseconds: { readonly median: number } };

/** A report of `kernels` or `grad`. */
export interface Measurements extends Head {
  readonly kernels?: readonly Rate[];
  readonly results?: readonly (Work & StepRow)[];
  readonly inference?: readonly (Work & InferenceRow)[];
}

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escaped = (text: string): string => text.replaceAll(/[&<>"]/g, (sign) => ENTITIES[sign]!);

const worksOf = <Row extends Work>(kernel: string, works: readonly Row[] = [], nameOf: (row: Row) => string): Rate[] =>
  works.map((work) => {
    const { milliseconds, gigabytes, gigaflops, share, unchecked } = work;
    const what = nameOf(work).replace(`${kernel}, `, "");
    return {
      kernel,
      what,
      milliseconds: milliseconds.median,
      gigabytes,
      gigaflops,
      ...(share !== undefined && { share }),
      ...(unchecked && { unchecked }),
    };
  });

/** The rows of a report, of kernels or of whole steps. */
export const ratesOf = ({ kernels = [], results, inference }: Measurements): readonly Rate[] => [
  ...kernels.map(({ kernel, what, milliseconds, gigabytes, gigaflops, unchecked }) => ({
    kernel,
    what,
    milliseconds,
    gigabytes,
    gigaflops,
    ...(unchecked && { unchecked }),
  })),
  ...worksOf("training", results, nameOfStep),
  ...worksOf("inference", inference, nameOfInference),
];

function sectionOf(report: Measurements): string {
  const { roofs } = report;
  const rates = ratesOf(report);
  const lines = rooflineOf(rates, roofs)
    .points.map((point, at) => ({ ...point, at }))
    .sort((a, b) => a.share - b.share)
    .map(({ rate: { kernel, what, milliseconds, gigabytes, gigaflops }, share, at }) => {
      const numbers = [milliseconds, gigabytes, gigaflops, 100 * share].map((number) => `<td>${figure(number)}</td>`);
      return `<tr data-at="${at}"><td>${escaped(kernel)}</td><td>${escaped(what)}</td>${numbers.join("")}</tr>`;
    });
  const heads = ["kernel", "at", "ms", "GB/s", "GFLOP/s", "% of its roof"].map(
    (head) => `<th scope="col">${head}</th>`,
  );
  const data: PlotData = { roofs, rates };
  return `<section>
<h2>${report.kernels ? "Kernels" : "Whole training steps and inferences"}</h2>
<p>Roofs measured in the same process: ${figure(roofs.gigaflops)} GFLOP/s of multiplications and additions in f32, ${figure(roofs.gigabytes)} GB/s of a copy. Commit ${escaped(report.commit ?? "unknown")}, ${escaped(report.date)}.</p>
<div class="plot"></div>
<script type="application/json">${JSON.stringify(data).replaceAll("<", "\\u003c")}</script>
<div class="scroll"><table><thead><tr>${heads.join("")}</tr></thead><tbody>
${lines.join("\n")}
</tbody></table></div>
</section>`;
}

/** The page's script and style sheet, with the plot's library. */
async function bundle(): Promise<{ readonly script: string; readonly style: string }> {
  const built = (await build({
    configFile: false,
    logLevel: "warn",
    build: {
      write: false,
      target: "es2022",
      minify: true,
      lib: { entry: "bench/roofline/page_script.ts", formats: ["iife"], name: "page", fileName: "page" },
      rolldownOptions: { output: { minify: true } },
    },
  })) as readonly Rolldown.RolldownOutput[];
  const files = built.flatMap(({ output }) => output);
  const script = files.map((file) => (file.type === "chunk" ? file.code : "")).join("");
  const style = files.map((file) => (file.type === "asset" ? String(file.source) : "")).join("");
  return { script: script.replaceAll("</script", "<\\/script"), style };
}

/** @param reports of one adapter, with a row each at least */
export async function pageOf(reports: readonly Measurements[]): Promise<string> {
  const { script, style } = await bundle();
  const hash = createHash("sha256").update(script, "utf8").digest("base64");
  const name = escaped(reports[0]!.adapter.description);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'sha256-${hash}'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">
<title>Roofline of ${name}</title><style>${style}</style></head><body>
<h1>Roofline</h1>
<p>${name}. Bytes are the fewest that a definition needs, operations those of the definition. What memory limits lies below the slope, what arithmetic limits below the level line; above the slope lie rows whose operands stay in caches.</p>
${reports.map(sectionOf).join("\n")}
<script>${script}</script>
</body></html>
`;
}

/**
 * Writes the page of the reports in a folder.
 * @returns its path; null if no report has a row
 */
export async function writePage(parts: string, folder: string): Promise<string | null> {
  const files = readdirSync(parts).filter((name) => name.endsWith(".json"));
  const reports = files
    .sort()
    .reverse() // kernels before grad
    .map((name) => JSON.parse(readFileSync(join(parts, name), "utf8")) as Measurements)
    .filter((report) => ratesOf(report).length > 0);
  if (reports.length === 0) return null;
  const path = join(folder, `roofline.${files[0]!.split(".")[1]!}.html`);
  writeFileSync(path, await pageOf(reports));
  return path;
}
