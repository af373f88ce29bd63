import type { Detector } from "../../detection/detector.ts";
import { DeviceLostError } from "../../runtime/errors.ts";
import { half, wantsLess } from "../recovery.ts";

const MOST_LOSSES = 3; // in a row, without any work done in between

interface Current {
  readonly detector: Promise<Detector>;
  /** Images per batch. */
  readonly batch: number;
}

/**
 * A detector that outlives its device. If the device is lost, the detector is loaded on a new one and the work is
 * repeated; if a batch does not fit in GPU memory, it continues with half of it, where that is allowed.
 */
export class KeptDetector {
  readonly #open: () => Promise<Detector>;
  readonly #mayHalve: boolean;
  readonly #onNotice: (text: string) => void;
  #current: Current;
  #losses = 0;

  /**
   * @param first the detector as it is now
   * @param open loads it on a new device
   * @param onNotice called with a message each time that a new device takes over
   */
  constructor(
    first: Detector,
    open: () => Promise<Detector>,
    batch: number,
    mayHalve: boolean,
    onNotice: (text: string) => void,
  ) {
    this.#open = open;
    this.#mayHalve = mayHalve;
    this.#onNotice = onNotice;
    this.#current = { detector: Promise.resolve(first), batch };
  }

  /**
   * Runs some work with the detector and a batch size.
   * @param work must be repeatable: it runs again after a lost device
   * @throws DeviceLostError if devices are lost repeatedly; OutOfMemoryError or TooLargeError if the batch may not be
   * halved, or a single image is too large
   */
  async use<T>(work: (detector: Detector, batch: number) => Promise<T>): Promise<T> {
    for (;;) {
      const current = this.#current;
      try {
        const done = await work(await current.detector, current.batch);
        this.#losses = 0;
        return done;
      } catch (error) {
        const isLost = error instanceof DeviceLostError;
        if (!isLost && !wantsLess(error)) throw error;
        // else another's work has met it before
        if (this.#current === current) this.#current = this.#next(current, error as Error, isLost);
      }
    }
  }

  /** Device and batch to continue with after an error; throws it if retrying is pointless. */
  #next({ detector, batch }: Current, error: Error, isLost: boolean): Current {
    const isOver = isLost ? ++this.#losses > MOST_LOSSES : !this.#mayHalve || batch === 1;
    if (isOver) throw error;
    const next = isLost ? batch : half(batch);
    this.#onNotice(`${error.message}; going on with ${next} images at a time on a new device`);
    // what is left of it would take memory
    const opened = detector.then(({ device }) => device.destroy()).then(this.#open);
    opened.catch(() => undefined); // thrown where it is waited for
    return { detector: opened, batch: next };
  }
}
