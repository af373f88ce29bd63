// Draws a roofline plot in a page, on logarithmic scales, with what lies under the pointer in words.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import "./roofline.css";
import { figure, GROUPS, roofAt, ridgeOf, wordsOf, type Group, type Point, type Roofline } from "./points.ts";

const [WIDEST_RATIO, LEAST_HEIGHT, MOST_HEIGHT] = [0.62, 280, 560]; // height by width, and its limits in pixels
const NEAR = 22; // pixels from the pointer to a point that it means
const [RADIUS, MARKED] = [4, 7]; // of points, in pixels
const ALONG = 0.35; // the memory roof, from its left end to the ridge: where its rate stands
const TIP = 12; // pixels between a point and its words

const made = (tag: string, name: string, text = ""): HTMLElement => {
  const element = document.createElement(tag);
  element.className = name;
  element.textContent = text;
  return element;
};

/** A roofline plot in an element, as wide as that is, in the page's light or dark colours. */
export class RooflineChart {
  readonly #into: HTMLElement;
  readonly #onMark: (at: number | null) => void;
  readonly #box = made("div", "roofline-plot");
  readonly #legend = made("ul", "roofline-legend");
  readonly #tip = made("div", "roofline-tip");
  readonly #hidden = new Set<Group>();
  #roofline: Roofline | null = null;
  #plot: uPlot | null = null;
  #marked: number | null = null;

  /** @param onMark told the point under the pointer, as its place in the roofline's points */
  constructor(into: HTMLElement, onMark: (at: number | null) => void = () => undefined) {
    this.#into = into;
    this.#onMark = onMark;
    into.classList.add("roofline");
    this.#box.setAttribute("role", "img");
    this.#tip.hidden = true;
    into.replaceChildren(this.#legend, this.#box, this.#tip);
    new ResizeObserver(() => this.#plot?.setSize(this.#size())).observe(into);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#plot?.redraw());
  }

  show(roofline: Roofline): void {
    this.#roofline = roofline;
    this.#marked = null;
    this.#tip.hidden = true;
    const { points, roofs } = roofline;
    this.#box.setAttribute(
      "aria-label",
      `Roofline plot of ${points.length} rows: rates against operations for each byte, below roofs of ${figure(roofs.gigaflops)} GFLOP/s and ${figure(roofs.gigabytes)} GB/s.`,
    );
    this.#list(GROUPS.filter((group) => points.some((point) => point.group === group)));
    this.#plot?.destroy();
    this.#plot = this.#made(roofline);
  }

  /** Marks a point, with its words; none where it is null. */
  mark(at: number | null): void {
    if (at === this.#marked || !this.#plot || !this.#roofline) return;
    this.#marked = at;
    this.#plot.redraw(false);
    const point = at === null ? undefined : this.#roofline.points[at];
    this.#tip.hidden = !point;
    if (point) this.#place(this.#plot, point, this.#roofline);
  }

  #list(groups: readonly Group[]): void {
    this.#legend.replaceChildren(
      ...groups.map((group) => {
        const button = made("button", `roofline-group-${GROUPS.indexOf(group)}`, group);
        button.setAttribute("type", "button");
        const tell = (): void => button.setAttribute("aria-pressed", String(!this.#hidden.has(group)));
        button.addEventListener("click", () => {
          if (!this.#hidden.delete(group)) this.#hidden.add(group);
          tell();
          this.#plot?.redraw(false);
        });
        tell();
        const item = document.createElement("li");
        item.append(button);
        return item;
      }),
    );
  }

  #size(): { width: number; height: number } {
    const width = Math.max(this.#into.clientWidth, 1);
    return { width, height: Math.round(Math.min(Math.max(WIDEST_RATIO * width, LEAST_HEIGHT), MOST_HEIGHT)) };
  }

  #made(roofline: Roofline): uPlot {
    const axis = {
      stroke: () => this.#colour("--soft"),
      font: `12px ${getComputedStyle(this.#into).fontFamily}`,
      labelFont: `12px ${getComputedStyle(this.#into).fontFamily}`,
      grid: { stroke: () => this.#colour("--line"), width: 1 },
      ticks: { show: false },
      gap: 6,
      labelSize: 18,
    };
    const scale = ([low, high]: readonly [number, number]): uPlot.Scale => ({
      time: false,
      distr: 3,
      range: () => [low, high],
    });
    const hidden: uPlot.Series = { paths: () => null, points: { show: false } };
    const plot = new uPlot(
      {
        ...this.#size(),
        padding: [8, 12, 0, 0],
        legend: { show: false },
        cursor: { show: false },
        scales: { x: scale(roofline.x), y: scale(roofline.y) },
        axes: [
          {
            ...axis,
            size: 26,
            label: "operations for each byte",
            splits: () => powersOfTen(roofline.band ?? roofline.x[0], roofline.x[1]),
            values: (_, at) => at.map(figure),
          },
          {
            ...axis,
            size: 52,
            label: "GFLOP/s",
            splits: () => powersOfTen(...roofline.y),
            values: (_, at) => at.map(figure),
          },
        ],
        series: [{}, hidden],
        hooks: {
          drawClear: [(plot) => this.#drawRoofs(plot, roofline)],
          draw: [(plot) => this.#drawPoints(plot, roofline)],
        },
      },
      [[...roofline.x], [...roofline.y]],
      this.#box,
    );
    const point = ({ offsetX, offsetY }: PointerEvent): void => {
      const at = this.#near(plot, roofline, offsetX, offsetY);
      this.mark(at);
      this.#onMark(at);
    };
    plot.over.addEventListener("pointermove", point);
    plot.over.addEventListener("pointerdown", point);
    plot.over.addEventListener("pointerleave", () => {
      this.mark(null);
      this.#onMark(null);
    });
    return plot;
  }

  #colour(name: string): string {
    return getComputedStyle(this.#into).getPropertyValue(name).trim();
  }

  #drawRoofs(plot: uPlot, { roofs, x, y, band }: Roofline): void {
    const { ctx, bbox } = plot;
    const unit = uPlot.pxRatio;
    const at = (x: number, y: number): [number, number] => [plot.valToPos(x, "x", true), plot.valToPos(y, "y", true)];
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.font = `${12 * unit}px ${getComputedStyle(this.#into).fontFamily}`;
    if (band !== null) {
      const [right] = at(band, y[0]);
      ctx.fillStyle = this.#colour("--wash");
      ctx.fillRect(bbox.left, bbox.top, right - bbox.left, bbox.height);
      ctx.save();
      ctx.fillStyle = this.#colour("--soft");
      ctx.translate(bbox.left + 14 * unit, bbox.top + bbox.height / 2.4);
      ctx.rotate(-Math.PI / 2);
      ctx.textAlign = "center";
      ctx.fillText("no operations", 0, 0);
      ctx.restore();
    }
    ctx.strokeStyle = this.#colour("--ink");
    ctx.lineWidth = 1.5 * unit;
    ctx.beginPath();
    for (const along of [x[0], ridgeOf(roofs), x[1]]) ctx.lineTo(...at(along, roofAt(along, roofs)));
    ctx.stroke();
    ctx.fillStyle = this.#colour("--ink");
    ctx.textAlign = "right";
    const [right, top] = at(x[1], roofs.gigaflops);
    ctx.fillText(`${figure(roofs.gigaflops)} GFLOP/s`, right - 6 * unit, top - 6 * unit);
    // along the slope, where few points lie
    const [from, to] = [at(x[0], roofAt(x[0], roofs)), at(ridgeOf(roofs), roofs.gigaflops)];
    ctx.translate(from[0] + ALONG * (to[0] - from[0]), from[1] + ALONG * (to[1] - from[1]));
    ctx.rotate(Math.atan2(to[1] - from[1], to[0] - from[0]));
    ctx.textAlign = "center";
    ctx.fillText(`${figure(roofs.gigabytes)} GB/s`, 0, -6 * unit);
    ctx.restore();
  }

  #drawPoints(plot: uPlot, { points }: Roofline): void {
    const { ctx } = plot;
    const unit = uPlot.pxRatio;
    const colours = GROUPS.map((_, i) => this.#colour(`--group-${i}`));
    const sheet = this.#colour("--sheet");
    const draw = ({ x, y, group }: Point, radius: number): void => {
      ctx.beginPath();
      ctx.arc(plot.valToPos(x, "x", true), plot.valToPos(y, "y", true), radius * unit, 0, 2 * Math.PI);
      ctx.fillStyle = colours[GROUPS.indexOf(group)]!;
      ctx.fill();
      ctx.stroke();
    };
    ctx.save();
    ctx.strokeStyle = sheet;
    ctx.lineWidth = unit;
    for (const point of points) if (!this.#hidden.has(point.group)) draw(point, RADIUS);
    const marked = this.#marked === null ? undefined : points[this.#marked];
    if (marked) {
      ctx.lineWidth = 2 * unit;
      draw(marked, MARKED);
    }
    ctx.restore();
  }

  #near(plot: uPlot, { points }: Roofline, x: number, y: number): number | null {
    let [best, least] = [null as number | null, NEAR];
    points.forEach((point, i) => {
      if (this.#hidden.has(point.group)) return;
      const distance = Math.hypot(plot.valToPos(point.x, "x") - x, plot.valToPos(point.y, "y") - y);
      if (distance < least) [best, least] = [i, distance];
    });
    return best;
  }

  /** Shows a point's words beside it, within the element. */
  #place(plot: uPlot, point: Point, { roofs }: Roofline): void {
    const [title, ...lines] = wordsOf(point, roofs).map((words) => made("div", "", words));
    title!.className = "roofline-title";
    this.#tip.replaceChildren(title!, ...lines);
    const [own, over] = [this.#into.getBoundingClientRect(), plot.over.getBoundingClientRect()];
    const [x, y] = [
      over.left - own.left + plot.valToPos(point.x, "x"),
      over.top - own.top + plot.valToPos(point.y, "y"),
    ];
    const left = Math.max(0, Math.min(x + TIP, own.width - this.#tip.offsetWidth));
    const above = y - TIP - this.#tip.offsetHeight;
    this.#tip.style.left = `${left}px`;
    this.#tip.style.top = `${above >= 0 ? above : y + TIP}px`;
  }
}

function powersOfTen(low: number, high: number): number[] {
  const powers = [];
  for (let power = Math.ceil(Math.log10(low) - 1e-9); 10 ** power <= high; power++) powers.push(10 ** power);
  return powers;
}
