// The kernel explorer: what each shader says of itself, what it makes of a picture, how fast it is.
import type { KernelRate } from "../../bench/measure.ts";
import { RooflineChart } from "../../bench/roofline/chart.ts";
import { rooflineOf } from "../../bench/roofline/points.ts";
import type { Roofs } from "../../src/kernels/roofs.ts";
import { synthesise } from "../../src/data/synthetic.ts";
import { describeShader } from "../../tools/build/describe_shader.mjs";
import { DEFINITIONS } from "./definitions.ts";
import { KernelEditor } from "./kernel_editor.ts";
import { OWN, SIDE, type Control, type KernelReply, type KernelRequest } from "./kernels_protocol.ts";
import ownKernel from "./own_kernel.wgsl?raw";
import { OwnershipPicture } from "./ownership_picture.ts";
import { byId, element, onClick, pick, show } from "./page.ts";

const SHADERS = Object.entries(
  import.meta.glob<string>("../../shaders/*.wgsl", { query: "?raw", import: "default", eager: true }),
).map(([path, text]) => [path.split("/").at(-1)!.replace(".wgsl", ""), text] as const);
/** Stand before each kernel; the element preludes, which have no overrides, are left out. */
const PRELUDES = Object.values(
  import.meta.glob<string>("../../shaders/prelude/{common,philox,activation,rows}.wgsl", {
    query: "?raw",
    import: "default",
    eager: true,
  }),
);
const NAMES = SHADERS.map(([name]) => name).sort();
const SOURCES: Readonly<Record<string, string>> = Object.fromEntries([...SHADERS, [OWN, ownKernel]]);

const worker = new Worker(new URL("./kernels_worker.ts", import.meta.url), { type: "module" });
const ask = (request: KernelRequest): void => worker.postMessage(request);

let photo = samplePhoto();
let current = "";
let values: Record<string, number | string> = {};
let controls: Readonly<Record<string, readonly Control[]>> = {};
let measured: readonly string[] | null = null; // null until there is a device
let report: unknown = null;
let roofs: Roofs | null = null; // null until something is measured
const rates = new Map<string, KernelRate>();
const chart = new RooflineChart(byId("roofline"));
let lastId = 0;
const ownership = new OwnershipPicture((index) =>
  ask({ kind: "own", shader: current, code: SOURCES[current]!, index }),
);
const editor = new KernelEditor((code) => {
  if (!measured) return;
  ask({ kind: "try", shader: current, code });
  draw();
});

worker.addEventListener("message", ({ data: reply }: MessageEvent<KernelReply>) => {
  switch (reply.kind) {
    case "opened":
      ({ controls, measured } = reply);
      editor.enable();
      byId("adapter").dataset["state"] = "there";
      byId("adapter").textContent =
        `${reply.adapter.description}; ${reply.features.join(", ") || "no optional features"}`;
      return open(current);
    case "drawn": {
      if (reply.id !== lastId) return; // an older one: the controls have moved on
      const { rgba, width, height, milliseconds } = reply;
      const canvas = byId<HTMLCanvasElement>("after");
      [canvas.width, canvas.height] = [width, height];
      canvas.getContext("2d")!.putImageData(new ImageData(rgba, width, height), 0, 0);
      canvas.dataset["shader"] = current;
      byId("timing").textContent = `out, ${width} x ${height}; ${milliseconds.toPrecision(3)} ms with the call`;
      return;
    }
    case "roofs":
      ({ roofs } = reply);
      return;
    case "measured": {
      const { rate, done, total } = reply;
      rates.set(`${rate.kernel} ${rate.what}`, rate);
      show(true, "roofline");
      chart.show(rooflineOf([...rates.values()], roofs!));
      show(true, "table");
      byId("measuring").textContent = done < total ? `${done} of ${total} …` : "";
      const cells = [rate.kernel, rate.what, rate.milliseconds, rate.gigabytes, rate.gigaflops];
      const row = element("tr", {}, ...cells.map((cell) => element("td", { textContent: String(cell) })));
      byId("table").querySelector("tbody")!.append(row);
      return;
    }
    case "owned":
      if (reply.shader === current) ownership.show(reply.ownership);
      return;
    case "tried":
      if (reply.shader === current) editor.tried(reply);
      return;
    case "report":
      report = reply.report;
      byId<HTMLButtonElement>("export").disabled = false;
      return;
    case "failed":
      byId("notice").textContent = reply.message;
      show(true, "notice");
      editor.failed();
      if (!measured) byId("adapter").textContent = "No WebGPU here.";
  }
});

function open(name: string): void {
  const next = SOURCES[name] ? name : NAMES[0]!;
  const source = SOURCES[next]!;
  editor.open(next, source);
  current = next;
  show(false, "notice");
  const { header, entryPoints, overrides } = describeShader(source, PRELUDES);
  document.title = `${current} - bigrid kernels`;
  byId("title").textContent = current === OWN ? "Your own kernel" : current;
  for (const link of document.querySelectorAll<HTMLAnchorElement>(".list a"))
    link.toggleAttribute("aria-current", link.hash === `#${current}`);
  byId("header").replaceChildren(...prose(header));
  byId("entries").replaceChildren(...entryPoints.flatMap(({ name, meaning }) => explained(name, meaning)));
  byId("overrides").replaceChildren(
    ...overrides.flatMap(({ name, type, value, meaning }) => explained(`${name}: ${type} = ${value}`, meaning)),
  );
  const own = controls[current] ?? [];
  values = Object.fromEntries(own.map(({ name, value }) => [name, value]));
  byId("knobs").replaceChildren(...own.map(knob));
  byId<HTMLButtonElement>("measure").disabled = !measured?.includes(current);
  byId<HTMLButtonElement>("measure-all").disabled = !measured;
  if (current === OWN && measured) ask({ kind: "try", shader: OWN, code: source });
  draw();
  ownership.open(measured !== null && current in DEFINITIONS);
}

function draw(): void {
  if (measured) ask({ kind: "draw", id: ++lastId, shader: current, values: { ...values }, photo });
}

/** A name and what it means, for a list. */
const explained = (name: string, meaning: string): HTMLElement[] => [
  element("dt", { textContent: name }),
  element("dd", { textContent: meaning || "See above." }),
];

/** Prose whose names in backticks are code. */
const withCode = (text: string): (HTMLElement | string)[] =>
  text.split("`").map((part, i) => (i % 2 === 0 ? part : element("code", { textContent: part })));

/** Header lines: indented ones are tables and formulas, the others prose. */
function prose(header: readonly string[]): HTMLElement[] {
  const blocks: { kind: "p" | "pre"; lines: string[] }[] = [];
  let open = false;
  for (const line of header) {
    const kind = line.startsWith("  ") ? "pre" : "p";
    if (line.trim() === "") open = false;
    else if (open && blocks.at(-1)!.kind === kind) blocks.at(-1)!.lines.push(line);
    else {
      blocks.push({ kind, lines: [line] });
      open = true;
    }
  }
  return blocks.map(
    ({ kind, lines }) =>
      kind === "p"
        ? element("p", {}, ...withCode(lines.join(" ")))
        : element("pre", { textContent: lines.join("\n"), tabIndex: 0 }), // wide ones scroll, by keys too
  );
}

function knob(control: Control): HTMLElement {
  const set = (value: number | string): void => {
    values[control.name] = value;
    draw();
  };
  if ("choices" in control) {
    const select = element("select", {}, ...control.choices.map((name) => element("option", { textContent: name })));
    select.addEventListener("change", () => set(select.value));
    return element("label", {}, element("span", { textContent: control.name }), select);
  }
  const { name, min, max, step, value } = control;
  const shown = element("output", { textContent: String(value) });
  const input = element("input", { type: "range", min: String(min), max: String(max), step: String(step) });
  input.value = String(value);
  input.addEventListener("input", () => {
    shown.textContent = input.value;
    set(Number(input.value));
  });
  return element("label", {}, element("span", {}, name, shown), input);
}

/** Woven cloth with a stain: the picture to begin with. */
function samplePhoto(): Float32Array<ArrayBuffer> {
  const cloth = synthesise({ size: SIDE, train: 0, good: 0, defective: 1, seed: 3 }).find(
    ({ name }) => name === "weave",
  )!;
  const { rgba } = cloth.test.find(({ defect }) => defect === "stain")!;
  return shownPhoto(new ImageData(new Uint8ClampedArray(rgba), SIDE, SIDE));
}

/** Draws the picture that goes in, and gives its numbers: `[SIDE, SIDE, 3]`, in [0, 1]. */
function shownPhoto(image: ImageData): Float32Array<ArrayBuffer> {
  byId<HTMLCanvasElement>("before").getContext("2d")!.putImageData(image, 0, 0);
  return Float32Array.from({ length: SIDE * SIDE * 3 }, (_, i) => image.data[4 * Math.floor(i / 3) + (i % 3)]! / 255);
}

byId("list").append(...NAMES.map((name) => element("li", {}, element("a", { href: `#${name}`, textContent: name }))));
byId("own-kernel").append(element("a", { href: `#${OWN}`, textContent: "Write your own, with its gradient" }));
byId("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address names the kernel
  byId("title").focus();
});
window.addEventListener("hashchange", () => open(location.hash.slice(1)));
onClick("photo", async () => {
  const [file] = await pick(byId("pick-one"));
  if (!file) return;
  const bitmap = await createImageBitmap(file, {
    imageOrientation: "from-image",
    resizeWidth: SIDE,
    resizeHeight: SIDE,
    resizeQuality: "high",
  });
  const context = new OffscreenCanvas(SIDE, SIDE).getContext("2d")!;
  context.drawImage(bitmap, 0, 0);
  photo = shownPhoto(context.getImageData(0, 0, SIDE, SIDE));
  draw();
});
const measure = (shader: string | null): void => {
  byId("measuring").textContent = "measuring the roofs …";
  byId("table").querySelector("tbody")!.replaceChildren();
  ask({ kind: "measure", shader });
};
onClick("measure", () => measure(current));
onClick("measure-all", () => measure(null));
onClick("export", () => {
  const file = new Blob([`${JSON.stringify(report, null, 1)}\n`], { type: "application/json" });
  const link = element("a", { href: URL.createObjectURL(file), download: "kernels.json" });
  link.click();
  URL.revokeObjectURL(link.href);
});

open(location.hash.slice(1));
ask({ kind: "open" });
