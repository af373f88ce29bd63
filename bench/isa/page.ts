import { teraflopsOf } from "../../src/cli/isa/cards.ts";
import { KINDS, shareOf, type Kind } from "../../src/cli/isa/bar.ts";
import { countsOf, type Report, type Row } from "../../src/cli/isa/report.ts";

const TITLES: Readonly<Record<Kind, string>> = {
  product: "Products and convolutions, and their gradients",
  reduction: "Reductions within workgroups",
  bandwidth: "Others, limited by memory",
};

const STYLE = `
:root { color-scheme: light dark; --text: #1d2430; --muted: #5d6878; --back: #fff; --track: #e6e9ee; --good: #1d8a63; --short: #c77a14; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e8ee; --muted: #98a3b3; --back: #14181f; --track: #2a313c; --good: #3fbf8e; --short: #e0a045; } }
body { margin: 2rem auto; max-width: 72rem; padding: 0 1rem; font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--back); }
h1 { font-size: 1.5rem; margin-bottom: 0.2rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
p { color: var(--muted); max-width: 60rem; }
.tiles { display: flex; gap: 2.5rem; flex-wrap: wrap; } .tiles b { display: block; font-size: 1.6rem; color: var(--text); }
table { border-collapse: collapse; width: 100%; } th { text-align: left; font-weight: 600; color: var(--muted); }
td, th { padding: 0.3rem 0.6rem 0.3rem 0; vertical-align: top; border-bottom: 1px solid var(--track); }
td.name { font: 12px/1.45 ui-monospace, monospace; overflow-wrap: anywhere; width: 44%; } td.name span { color: var(--muted); }
td.bar { width: 17%; white-space: nowrap; } td.short { font-size: 13px; color: var(--muted); }
svg { vertical-align: -1px; margin-right: 0.4rem; } .track { fill: var(--track); } .good { fill: var(--good); } .poor { fill: var(--short); }
`;

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escaped = (text: string): string => text.replaceAll(/[&<>"]/g, (sign) => ENTITIES[sign]!);

const WIDTH = 110; // of a full bar, in pixels

function bar(share: number, isGood: boolean): string {
  const percent = Math.round(100 * share);
  const filled = (WIDTH * Math.min(1, share)).toFixed(1);
  return `<svg width="${WIDTH}" height="10" role="img" aria-label="${percent} %"><rect class="track" width="${WIDTH}" height="10" rx="2"/><rect class="${isGood ? "good" : "poor"}" width="${filled}" height="10" rx="2"/></svg>${percent} %`;
}

function lineOf(row: Row): string {
  const { name, use, uses, isDefault, kind, short, bound, waves, vgprs, divisions, isLoop } = row;
  const isGood = short.length === 0;
  const first = kind === "product" ? `<td class="bar">${bar(shareOf(row), isGood)}</td>` : "";
  const about = `${escaped(use)}${uses > 1 ? ` and ${uses - 1} more` : ""}${isDefault ? "" : "; only if asked for"}`;
  const divided = divisions > 0 && !isLoop ? `, divisions of each pack: ${divisions}` : "";
  const result = `${escaped(short.join("; ") || "as wanted")} (${vgprs} VGPRs, ${waves} waves${divided})`;
  return `<tr><td class="name">${escaped(name)}<br><span>${about}</span></td>${first}<td class="bar">${bar(bound.share, isGood)}<br>${bound.limit}</td><td class="short">${result}</td></tr>`;
}

function section(rows: readonly Row[], kind: Kind): string {
  const ofKind = rows
    .filter((row) => row.kind === kind)
    .sort((a, b) => Number(b.isDefault) - Number(a.isDefault) || a.bound.share - b.bound.share);
  if (ofKind.length === 0) return "";
  const share = kind === "product" ? "<th>multiply-adds of vector instructions</th>" : "";
  const heads = `<tr><th>pipeline, and a row that takes it</th>${share}<th>at most, of the roof; limit</th><th>falls short in</th></tr>`;
  return `<h2>${TITLES[kind]}</h2>\n<table>${heads}\n${ofKind.map(lineOf).join("\n")}\n</table>`;
}

/** The report as one HTML file. */
export function pageOf({ gpu, card, driver, commit, date, rows }: Report): string {
  const counts = countsOf(rows);
  const tiles = KINDS.map(
    (kind) => `<div><b>${counts[kind].good} of ${counts[kind].all}</b>${TITLES[kind].toLowerCase()}</div>`,
  ).join("");
  const peak = `${teraflopsOf(card).toFixed(1)} TFLOP/s, ${card.gigabytes} GB/s`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Kernels as compiled for ${escaped(gpu)}</title><style>${STYLE}</style></head><body>
<h1>Kernels as compiled for ${escaped(gpu)}</h1>
<p>${escaped(card.name)}: ${peak}. Compiler: ${escaped(driver)}. Commit ${escaped(commit)}, ${escaped(date)}.
Static bounds from the compiler's listing, not measurements: nothing has run on this card. Green: as wanted in every respect.</p>
<div class="tiles">${tiles}</div>
${KINDS.map((kind) => section(rows, kind)).join("\n")}
</body></html>
`;
}
