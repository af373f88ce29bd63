// The picture of what one invocation owns: each tensor of a small example as a grid of its elements.
import type { OwnedTensor, Ownership } from "./kernels_protocol.ts";
import { byId, element, onClick, show } from "./page.ts";

const CELL = 14; // pixels, of which one is a gap
const PIXEL_GAP = 4; // between the pixels of an image, and between its rows

/** Shows what an invocation or workgroup owns, and asks for others. */
export class OwnershipPicture {
  /** @param ask finds what another invocation or workgroup owns, by its index */
  constructor(ask: (index: number) => void) {
    const input = byId<HTMLInputElement>("unit");
    onClick("own", () => {
      byId("owned-words").textContent = "Finding out …";
      ask(0);
    });
    input.addEventListener("change", () => ask(Number(input.value)));
    input.addEventListener("input", () => (byId("unit-shown").textContent = input.value));
  }

  /** Begins anew. @param possible true if the kernel has examples and there is a device */
  open(possible: boolean): void {
    show(possible, "own");
    show(false, "owned");
    byId("owned-words").textContent = "";
  }

  show(ownership: Ownership | null): void {
    show(ownership !== null, "owned");
    if (!ownership) {
      byId("owned-words").textContent =
        "No small example runs an entry point of this kernel alone, whose invocations can leave.";
      return;
    }
    const { example, entryPoint, unit, index, count, read, written } = ownership;
    const input = byId<HTMLInputElement>("unit");
    [input.max, input.value] = [String(count - 1), String(index)];
    byId("unit-name").textContent = unit;
    byId("unit-shown").textContent = String(index);
    byId("owned-words").textContent =
      `${entryPoint}, in the example "${example}": ${unit} ${index} of ${count}, found by sending all others home.`;
    byId("owned-grids").replaceChildren(...read.map((tensor) => figure(tensor, "reads")), figure(written, "writes"));
  }
}

/** A grid: an element of the last axis is a cell, of the one before a group in a row, the others are rows. */
function figure({ name, shape, elements }: OwnedTensor, verb: "reads" | "writes"): HTMLElement {
  const [channels, columns] = [shape.at(-1) ?? 1, shape.at(-2) ?? 1];
  const rows = shape.slice(0, -2).reduce((product, extent) => product * extent, 1);
  const [width, height] = [columns * (channels * CELL + PIXEL_GAP), rows * (CELL + PIXEL_GAP)];
  const words = `${name} [${shape.join(", ")}]: ${verb} ${elements.length} of ${rows * columns * channels}`;
  const canvas = element("canvas", { width, height, className: verb });
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", words);
  const context = canvas.getContext("2d")!;
  const owned = new Set(elements);
  const style = getComputedStyle(document.documentElement);
  const [plain, lit] = ["--line", verb === "reads" ? "--accent" : "--fine"].map((colour) =>
    style.getPropertyValue(colour),
  ) as [string, string];
  for (let at = 0; at < rows * columns * channels; at++) {
    const [channel, place] = [at % channels, Math.floor(at / channels)];
    const [column, row] = [place % columns, Math.floor(place / columns)];
    context.fillStyle = owned.has(at) ? lit : plain;
    context.fillRect(
      column * (channels * CELL + PIXEL_GAP) + channel * CELL,
      row * (CELL + PIXEL_GAP),
      CELL - 1,
      CELL - 1,
    );
  }
  return element("figure", {}, canvas, element("figcaption", { textContent: words }));
}
