import { DeviceLostError, UsageError } from "./errors.ts";
import { millisecondsOf, type TimedDevice } from "./timing.ts";

const ROUNDS = 3; // in which each form runs once, after a first time that compiles it
const HOPELESS = 1.5; // times as long as the best so far: not measured again
const WORTHWHILE = 0.95; // of the fixed choice's time: what a form must stay below to be taken in its place

/**
 * Storage of measured choices, for one adapter. Failures of either function are ignored: the form is measured again.
 */
export interface TuningStore {
  /** What was saved, if anything was; unchecked. */
  readonly load: () => Promise<unknown>;
  /** Adds choices to those that are there. */
  readonly save: (choices: Readonly<Record<string, string>>) => Promise<void>;
}

/** What tuning asks of a device. */
export interface TunedDevice extends TimedDevice {
  readonly tuner: Tuner;
  readonly isCapturing: boolean;
  /** See `Device.scope`. */
  scope(): Disposable;
}

/** A choice that nobody has measured yet. */
interface Open {
  readonly forms: readonly string[];
  readonly trial: (form: string) => void;
  readonly isRight: (form: string) => boolean | Promise<boolean>;
}

/**
 * Which of several forms of a kernel runs. Forms differ in the last bits, as they add up in another order; so the
 * choice is fixed by shape and adapter, unless measuring was asked for.
 */
export class Tuner {
  readonly #store: TuningStore | null;
  readonly #choices = new Map<string, string>();
  readonly #open = new Map<string, Open>();
  readonly #always: boolean;
  readonly #measure: typeof millisecondsOf;
  #isLoaded = false;
  #noting: boolean;
  #settling: Promise<unknown> = Promise.resolve();
  #unsettled = 0;
  #made = 0;

  /**
   * @param always whether every shape that comes up is noted, to be measured by the next `tune`
   * @param measure the time that work takes
   */
  constructor(store: TuningStore | null = null, always = false, measure = millisecondsOf) {
    this.#store = store;
    this.#always = this.#noting = always;
    this.#measure = measure;
  }

  /** What was measured so far, or read: forms by what they are for. */
  get choices(): ReadonlyMap<string, string> {
    return this.#choices;
  }

  /** Whether `tune` has something to measure, or is measuring. */
  get isPending(): boolean {
    return this.#open.size > 0 || this.#unsettled > 0;
  }

  /**
   * The form to run.
   * @param key what is to be done, on which class of shapes
   * @param forms that can do it, the fixed choice first
   * @param trial runs one of them on tensors of its own
   * @param isRight whether one of them computes what it should on this device. What does not is never measured, so
   * never chosen
   */
  choose(
    key: string,
    forms: readonly string[],
    trial: (form: string) => void,
    isRight: Open["isRight"] = () => true,
  ): string {
    const choice = this.#choices.get(key);
    if (choice !== undefined && forms.includes(choice)) return choice;
    if (this.#noting && forms.length > 1 && !this.#open.has(key)) this.#open.set(key, { forms, trial, isRight });
    return forms[0]!;
  }

  /** Reads what was kept. What cannot be read or understood counts as not there. */
  async load(): Promise<void> {
    if (this.#isLoaded) return;
    this.#isLoaded = true;
    const kept = await this.#store?.load().catch(() => null);
    if (typeof kept !== "object" || kept === null) return;
    for (const [key, form] of Object.entries(kept)) {
      if (typeof form === "string" && !this.#choices.has(key)) this.#choices.set(key, form);
    }
  }

  /** Runs `work`, noting the choices that it meets. */
  async note(work: () => unknown): Promise<void> {
    this.#noting = true;
    try {
      await work();
    } finally {
      this.#noting = this.#always;
    }
  }

  /** Measures what was noted, one call after another, and keeps the choices. Returns how many were made meanwhile. */
  async settle(device: TunedDevice): Promise<number> {
    const before = this.#made;
    this.#unsettled++;
    const settled = this.#settling.catch(() => undefined).then(() => this.#measureOpen(device));
    this.#settling = settled;
    try {
      await settled;
      return this.#made - before;
    } finally {
      this.#unsettled--;
    }
  }

  async #measureOpen(device: TunedDevice): Promise<void> {
    const open = [...this.#open];
    this.#open.clear();
    const made: Record<string, string> = {};
    for (const [key, { forms, trial, isRight }] of open) {
      made[key] = await fastest(await rightOf(forms, isRight), (form) =>
        this.#measure(device, () => {
          using _scope = device.scope();
          trial(form);
        }),
      );
    }
    for (const [key, form] of Object.entries(made)) this.#choices.set(key, form);
    this.#made += open.length;
    if (open.length > 0) await this.#store?.save(made).catch(() => undefined);
  }
}

/** The fixed form, which is first, and those of the others that are right. */
async function rightOf(forms: readonly string[], isRight: Open["isRight"]): Promise<readonly string[]> {
  const right = [forms[0]!];
  for (const form of forms.slice(1)) {
    try {
      if (await isRight(form)) right.push(form);
    } catch (error) {
      if (error instanceof DeviceLostError) throw error; // otherwise a driver that cannot do it
    }
  }
  return right;
}

/** The form that took least time, in rounds, so that what else the machine does meets all of them. */
async function fastest(forms: readonly string[], measure: (form: string) => Promise<number>): Promise<string> {
  const least = new Map<string, number>();
  const take = async (form: string): Promise<void> => {
    try {
      const milliseconds = await measure(form);
      least.set(form, Math.min(least.get(form) ?? Infinity, milliseconds));
    } catch (error) {
      if (error instanceof DeviceLostError || form === forms[0]) throw error;
      least.delete(form); // a driver that cannot do it
    }
  };
  for (const form of forms) await take(form);
  for (const form of least.keys()) least.set(form, Infinity); // compiling is over
  for (let round = 0; round < ROUNDS; round++) {
    const best = Math.min(...least.values());
    for (const [form, milliseconds] of least) if (round === 0 || milliseconds <= HOPELESS * best) await take(form);
  }
  const [fixed] = forms as [string];
  const [best] = [...least].sort(([, a], [, b]) => a - b)[0]!;
  return least.get(best)! < WORTHWHILE * least.get(fixed)! ? best : fixed;
}

/**
 * Measures the forms of kernels that `work` meets, where there are several, and has the device use the fastest from
 * then on. What was measured before, in this process or another on the same adapter, is not measured again. Programs
 * that were captured keep their forms.
 *
 * Results differ in the last bits from form to form, so runs repeat bit for bit only while the choices stay.
 *
 * @param work what is representative; it runs once. Default: what the device met so far, if it was opened with
 * `autotune`
 * @returns how many choices were made
 * @throws UsageError within `capture`
 */
export async function tune(device: TunedDevice, work: () => unknown = () => undefined): Promise<number> {
  if (device.isCapturing) throw new UsageError("tune: nothing can be measured inside capture; tune before");
  await device.tuner.load();
  await device.tuner.note(work);
  return device.tuner.settle(device);
}

/**
 * Measures what a device that was opened with `autotune` has met, if it has.
 * @returns whether it had, so that the same work may take other forms from now on
 */
export const tunePending = async (device: TunedDevice): Promise<boolean> =>
  device.tuner.isPending && (await tune(device)) > 0;
