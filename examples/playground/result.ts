import { heatLayer } from "../../src/io/heat.ts";
import { printable } from "../../src/io/printable.ts";
import { element } from "./page.ts";
import type { Inspected } from "./protocol.ts";

const LARGEST = 360; // pixels of a side on the page

/** Card of an inspected picture: the picture, its heat, its score. */
export class Result {
  readonly item: HTMLLIElement;
  /** True if the picture is known to be defective, false if it is known to be good; null if neither is known. */
  readonly isDefect: boolean | null;
  readonly #canvas = element("canvas");
  readonly #badge = element("span", { className: "badge" });
  readonly #words = element("span");
  #picture: ImageBitmap | null = null;
  #heat: ImageBitmap | null = null;
  #inspected: Inspected | null = null;

  constructor(name: string, isDefect: boolean | null) {
    this.isDefect = isDefect;
    const shown = printable(name);
    this.#badge.textContent = "…";
    const words = element(
      "div",
      { className: "words" },
      this.#badge,
      this.#words,
      element("span", { className: "name", title: shown, textContent: shown }),
    );
    this.item = element("li", {}, this.#canvas, words);
    this.#canvas.setAttribute("role", "img");
    this.#canvas.setAttribute("aria-label", shown);
  }

  /** Calibrated score in [0, 1]; null until there is one. */
  get calibrated(): number | null {
    return this.#inspected?.calibrated ?? null;
  }

  get score(): number | null {
    return this.#inspected?.score ?? null;
  }

  async show(picture: Blob | ImageBitmap, inspected: Inspected, heat: readonly [number, number]): Promise<void> {
    const { map, size, width, height } = inspected;
    const rgba = heatLayer(map, size, size, heat);
    this.#heat = await createImageBitmap(new ImageData(new Uint8ClampedArray(rgba), size, size));
    const scale = Math.min(1, LARGEST / Math.max(width, height));
    [this.#canvas.width, this.#canvas.height] = [
      Math.max(1, Math.round(width * scale)),
      Math.max(1, Math.round(height * scale)),
    ];
    const [resizeWidth, resizeHeight] = [this.#canvas.width, this.#canvas.height];
    this.#picture = await createImageBitmap(picture, {
      imageOrientation: "from-image",
      resizeWidth,
      resizeHeight,
      resizeQuality: "high",
    });
    this.#inspected = inspected;
    this.item.dataset["score"] = String(inspected.score);
  }

  refuse(message: string): void {
    this.#badge.dataset["verdict"] = "refused";
    this.#badge.textContent = "not read";
    this.#words.textContent = printable(message);
  }

  /** Redraws the card for a threshold on the calibrated score and a strength of the heat. */
  draw(threshold: number, opacity: number): void {
    if (!this.#inspected) return;
    const { calibrated, placement, width } = this.#inspected;
    const isRejected = calibrated > threshold;
    this.#badge.dataset["verdict"] = isRejected ? "defect" : "good";
    this.#badge.textContent = isRejected ? "defect" : "good";
    this.#words.textContent = calibrated.toFixed(2);
    const context = this.#canvas.getContext("2d")!;
    context.drawImage(this.#picture!, 0, 0);
    const { source, target } = placement;
    const scale = this.#canvas.width / width;
    context.globalAlpha = opacity;
    context.drawImage(
      this.#heat!,
      target.left,
      target.top,
      target.width,
      target.height,
      source.left * scale,
      source.top * scale,
      source.width * scale,
      source.height * scale,
    );
    context.globalAlpha = 1;
  }
}
