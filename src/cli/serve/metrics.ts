/** The cumulative buckets of a histogram, of values in one unit. */
class Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;
  #count = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = bounds.map(() => 0);
  }

  add(value: number): void {
    this.#bounds.forEach((bound, i) => {
      if (value <= bound) this.#counts[i]!++;
    });
    this.#sum += value;
    this.#count++;
  }

  lines(name: string): string[] {
    return [
      ...this.#bounds.map((bound, i) => `${name}_bucket{le="${bound}"} ${this.#counts[i]}`),
      `${name}_bucket{le="+Inf"} ${this.#count}`,
      `${name}_sum ${this.#sum}`,
      `${name}_count ${this.#count}`,
    ];
  }
}

/** Values that are read when they are asked for. */
export interface Gauges {
  readonly queueLength: number;
  readonly connections: number;
  readonly models: readonly { readonly name: string; readonly deviceBytes: number; readonly replaced: number }[];
}

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const BATCHES = [1, 2, 4, 8, 16, 32, 64];

/** Labels as they stand behind a name: `{model="a",verdict="good"}`. */
const labelled = (labels: Readonly<Record<string, string | number>>): string =>
  `{${Object.entries(labels)
    .map(([name, value]) => `${name}="${escaped(String(value))}"`)
    .join(",")}}`;

const escaped = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");

/** Counts of what the service did, in the text format of Prometheus. */
export class Metrics {
  readonly #requests = new Map<string, number>();
  readonly #images = new Map<string, number>();
  readonly #seconds = new Histogram(SECONDS);
  readonly #batches = new Histogram(BATCHES);

  /** @param route a path of the service, or "other": not what a client made up */
  request(route: string, status: number): void {
    increment(this.#requests, labelled({ route, status }));
  }

  image(model: string, verdict: string): void {
    increment(this.#images, labelled({ model, verdict }));
  }

  /** Notes an answered inspection. */
  inspection(milliseconds: number): void {
    this.#seconds.add(milliseconds / 1000);
  }

  batch(images: number): void {
    this.#batches.add(images);
  }

  /** The metrics, and the gauges as they are now. */
  text({ queueLength, connections, models }: Gauges): string {
    const family = (name: string, type: string, help: string, lines: readonly string[]): string[] => [
      `# HELP bigrid_${name} ${help}`,
      `# TYPE bigrid_${name} ${type}`,
      ...lines,
    ];
    const counts = (name: string, values: ReadonlyMap<string, number>): string[] =>
      [...values].map(([labels, count]) => `bigrid_${name}${labels} ${count}`);
    const ofModels = (name: string, valueOf: (model: Gauges["models"][number]) => number): string[] =>
      models.map((model) => `bigrid_${name}${labelled({ model: model.name })} ${valueOf(model)}`);
    return `${[
      ...family("requests_total", "counter", "Requests by route and status; 499 is a client that left.", [
        ...counts("requests_total", this.#requests),
      ]),
      ...family("images_total", "counter", "Images by model and verdict.", counts("images_total", this.#images)),
      ...family("queue_length", "gauge", "Images that wait for a batch.", [`bigrid_queue_length ${queueLength}`]),
      ...family("connections", "gauge", "Open connections.", [`bigrid_connections ${connections}`]),
      ...family(
        "inspection_seconds",
        "histogram",
        "Time from a request for an inspection to its answer.",
        this.#seconds.lines("bigrid_inspection_seconds"),
      ),
      ...family("batch_images", "histogram", "Images of a batch.", this.#batches.lines("bigrid_batch_images")),
      ...family(
        "device_memory_bytes",
        "gauge",
        "Bytes of buffers that a model's device had allocated after its last batch.",
        ofModels("device_memory_bytes", ({ deviceBytes }) => deviceBytes),
      ),
      ...family(
        "devices_replaced_total",
        "counter",
        "Devices that were lost, or too small for a batch, and replaced.",
        ofModels("devices_replaced_total", ({ replaced }) => replaced),
      ),
    ].join("\n")}\n`;
  }
}

function increment(counts: Map<string, number>, labels: string): void {
  counts.set(labels, (counts.get(labels) ?? 0) + 1);
}
