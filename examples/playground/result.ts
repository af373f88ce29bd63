import { paintHeat } from "../../src/io/heat.ts";
import type { DecodedImage } from "../../src/io/image.ts";
import { sizeWithin } from "../../src/io/placement.ts";
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
  #picture: DecodedImage | null = null;
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

  async show(picture: Blob | ImageBitmap, inspected: Inspected): Promise<void> {
    const { width, height } = sizeWithin(inspected.photograph, LARGEST);
    const small = await createImageBitmap(picture, {
      imageOrientation: "from-image",
      resizeWidth: width,
      resizeHeight: height,
      resizeQuality: "high",
    });
    [this.#canvas.width, this.#canvas.height] = [small.width, small.height];
    const context = this.#canvas.getContext("2d", { willReadFrequently: true })!;
    context.drawImage(small, 0, 0);
    const { data } = context.getImageData(0, 0, small.width, small.height);
    this.#picture = { width: small.width, height: small.height, data: new Uint8Array(data.buffer) };
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
    const { calibrated } = this.#inspected;
    const isRejected = calibrated > threshold;
    this.#badge.dataset["verdict"] = isRejected ? "defect" : "good";
    this.#badge.textContent = isRejected ? "defect" : "good";
    this.#words.textContent = calibrated.toFixed(2);
    const { data, width, height } = paintHeat(this.#picture!, this.#inspected, { opacity });
    const painted = new ImageData(new Uint8ClampedArray(data), width, height);
    this.#canvas.getContext("2d")!.putImageData(painted, 0, 0);
  }
}
