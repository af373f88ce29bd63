import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

const HEIGHT = 170;
const COLOURS = ["--bad", "--accent", "--fine"]; // of the stages, in their order

/** The losses of the stages over the steps taken, on a logarithmic scale. */
export class LossChart {
  readonly #into: HTMLElement;
  readonly #steps: number[] = [];
  readonly #losses = new Map<string, (number | null)[]>(); // by the stage's title
  #plot: uPlot | null = null;

  constructor(into: HTMLElement) {
    this.#into = into;
    new ResizeObserver(() => this.#plot?.setSize({ width: into.clientWidth, height: HEIGHT })).observe(into);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw());
  }

  clear(): void {
    this.#steps.length = 0;
    this.#losses.clear();
    this.#plot?.destroy();
    this.#plot = null;
  }

  /** @param stage its title */
  add(taken: number, stage: string, loss: number): void {
    const isNew = !this.#losses.has(stage);
    if (isNew)
      this.#losses.set(
        stage,
        this.#steps.map(() => null),
      );
    this.#steps.push(taken);
    for (const [title, losses] of this.#losses) losses.push(stage === title ? loss : null);
    if (this.#plot && !isNew) this.#plot.setData(this.#data());
    else this.#draw();
  }

  #data(): uPlot.AlignedData {
    return [this.#steps, ...this.#losses.values()];
  }

  #draw(): void {
    if (this.#steps.length === 0) return;
    this.#plot?.destroy();
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string): string => style.getPropertyValue(name).trim();
    const axis = {
      stroke: colour("--soft"),
      grid: { stroke: colour("--line"), width: 1 },
      ticks: { stroke: colour("--line"), width: 1 },
    };
    const line = (label: string, stroke: string): uPlot.Series => ({
      label,
      stroke,
      width: 2,
      spanGaps: true,
      points: { show: false },
    });
    this.#plot = new uPlot(
      {
        width: this.#into.clientWidth,
        height: HEIGHT,
        scales: { x: { time: false }, y: { distr: 3 } },
        axes: [axis, { ...axis, size: 56 }],
        series: [
          { label: "step" },
          ...Array.from(this.#losses.keys(), (title, i) => line(title, colour(COLOURS[i % COLOURS.length]!))),
        ],
        cursor: { y: false },
      },
      this.#data(),
      this.#into,
    );
  }
}
