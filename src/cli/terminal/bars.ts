import { showProgress, type Progress } from "./progress.ts";

/** Progress bars, one after another. */
export class Bars {
  readonly #label: string;
  #title = "";
  #bar: Progress | null = null;

  /** @param label stands before all titles */
  constructor(label = "") {
    this.#label = label;
  }

  /** The bar of that title; the one before ends. */
  show(title: string, total: number): Progress {
    if (title !== this.#title || !this.#bar) {
      this.end();
      this.#title = title;
      this.#bar = showProgress(`${this.#label}${title}`, total);
    }
    return this.#bar;
  }

  end(): void {
    this.#bar?.end();
    this.#bar = null;
  }
}
