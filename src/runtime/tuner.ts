import { DeviceLostError, UsageError } from "./errors.ts";
import { millisecondsOf, type TimedDevice } from "./timing.ts";

const ROUNDS = 3; // rounds, in each of which every form runs once, after a first run that compiles it
const HOPELESS = 1.5; // a form that takes this many times as long as the best is not measured again
const WORTHWHILE = 0.95; // a form is chosen only if it takes less than this share of the fixed choice's time

/**
 * Storage of measured choices, for one adapter. Failures of either function are ignored: the form is measured again.
 */
export interface TuningStore {
  /** Saved choices, if any; not validated. */
  readonly load: () => Promise<unknown>;
  /** Adds choices to those already saved. */
  readonly save: (choices: Readonly<Record<string, string>>) => Promise<void>;
}

/** The part of a device that tuning uses. */
export interface TunedDevice extends TimedDevice {
  readonly tuner: Tuner;
  readonly isCapturing: boolean;
  /** See `Device.scope`. */
  scope(): Disposable;
}

/** A choice that has not been measured. */
interface Open {
  readonly forms: readonly string[];
  readonly trial: (form: string) => void;
  readonly isRight: (form: string) => boolean | Promise<boolean>;
}

/**
 * Chooses among several forms of a kernel. Forms add up in different orders and so differ in the last bits; the choice
 * is therefore fixed by shape and adapter unless measuring was requested.
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
   * @param always true to note every shape that occurs, for the next `tune` to measure
   * @param measure returns the time that work takes
   */
  constructor(store: TuningStore | null = null, always = false, measure = millisecondsOf) {
    this.#store = store;
    this.#always = this.#noting = always;
    this.#measure = measure;
  }

  /** Choices measured or loaded so far: forms by key. */
  get choices(): ReadonlyMap<string, string> {
    return this.#choices;
  }

  /** True if `tune` has something to measure, or is measuring. */
  get isPending(): boolean {
    return this.#open.size > 0 || this.#unsettled > 0;
  }

  /**
   * Returns the form to run.
   * @param key operation and class of shapes
   * @param forms candidates, the fixed choice first
   * @param trial runs one of them on tensors of its own
   * @param isRight returns true if a form computes correct results on this device; others are never measured, so never
   *   chosen
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

  /** Loads saved choices. Unreadable or invalid ones are ignored. */
  async load(): Promise<void> {
    if (this.#isLoaded) return;
    this.#isLoaded = true;
    const kept = await this.#store?.load().catch(() => null);
    if (typeof kept !== "object" || kept === null) return;
    for (const [key, form] of Object.entries(kept)) {
      if (typeof form === "string" && !this.#choices.has(key)) this.#choices.set(key, form);
    }
  }

  /** Runs `work` and notes the choices that occur in it. */
  async note(work: () => unknown): Promise<void> {
    this.#noting = true;
    try {
      await work();
    } finally {
      this.#noting = this.#always;
    }
  }

  /**
   * Measures the noted choices, one call after another, and keeps the results. Returns how many were made meanwhile.
   */
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
      made[key] = await findFastest(await findCorrect(forms, isRight), (form) =>
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

/** The fixed form, which comes first, and the other forms that compute correct results. */
async function findCorrect(forms: readonly string[], isRight: Open["isRight"]): Promise<readonly string[]> {
  const right = [forms[0]!];
  for (const form of forms.slice(1)) {
    try {
      if (await isRight(form)) right.push(form);
    } catch (error) {
      if (error instanceof DeviceLostError) throw error; // any other error: the driver cannot run this form
    }
  }
  return right;
}

/** The fastest form. Measured in rounds, so that other load on the machine affects all forms alike. */
async function findFastest(forms: readonly string[], measure: (form: string) => Promise<number>): Promise<string> {
  const least = new Map<string, number>();
  const take = async (form: string): Promise<void> => {
    try {
      const milliseconds = await measure(form);
      least.set(form, Math.min(least.get(form) ?? Infinity, milliseconds));
    } catch (error) {
      if (error instanceof DeviceLostError || form === forms[0]) throw error;
      least.delete(form); // the driver cannot run this form
    }
  };
  for (const form of forms) await take(form);
  for (const form of least.keys()) least.set(form, Infinity); // discards the first round, which compiled
  for (let round = 0; round < ROUNDS; round++) {
    const best = Math.min(...least.values());
    for (const [form, milliseconds] of least) if (round === 0 || milliseconds <= HOPELESS * best) await take(form);
  }
  const [fixed] = forms as [string];
  const [best] = [...least].sort(([, a], [, b]) => a - b)[0]!;
  return least.get(best)! < WORTHWHILE * least.get(fixed)! ? best : fixed;
}

/**
 * Measures the forms of kernels that have several and occur in `work`; the device then uses the fastest. Choices that
 * were measured before, in this process or another on the same adapter, are not measured again. Programs that were
 * captured keep their forms.
 *
 * Results differ in the last bits from form to form, so runs repeat bit for bit only while the choices stay the same.
 *
 * @param work representative work, which runs once. Default: the choices that came up so far, if the device was opened
 *   with `autotune`
 * @returns number of choices made
 * @throws UsageError within `capture`
 */
export async function tune(device: TunedDevice, work: () => unknown = () => undefined): Promise<number> {
  if (device.isCapturing) throw new UsageError("tune: nothing can be measured inside capture; tune before");
  await device.tuner.load();
  await device.tuner.note(work);
  return device.tuner.settle(device);
}

/**
 * Measures the pending choices of a device that was opened with `autotune`, if there are any.
 * @returns true if there were any, so that the same work may use other forms from now on
 */
export const tunePending = async (device: TunedDevice): Promise<boolean> =>
  device.tuner.isPending && (await tune(device)) > 0;
