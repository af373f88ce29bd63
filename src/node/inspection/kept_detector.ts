import type { Detector } from "../../detection/detector.ts";
import { DeviceLostError } from "../../runtime/errors.ts";
import { half, wantsLess } from "../recovery.ts";

const MOST_LOSSES = 3; // one after another, with no work done between them

interface Current {
  readonly detector: Promise<Detector>;
  /** Images that the GPU is given at a time. */
  readonly batch: number;
}

/**
 * A detector that outlives its device: where that is lost, it is loaded on a new one and the work done again; where the
 * GPU has no memory for a batch, and it may, it goes on with half of it.
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
   * @param onNotice told, in words, each time that it goes on with another
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
   * Does some work, again if what it runs on is lost.
   * @param work with the detector, and how many images it may be given at a time; done twice, it must come to the same
   * @throws DeviceLostError where devices are lost again and again; OutOfMemoryError or TooLargeError where less at a
   * time is not allowed, or one image is too much
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

  /** Device and batch to continue with after an error; throws it if retrying is of no use. */
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
