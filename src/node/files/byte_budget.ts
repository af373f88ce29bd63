/** A memory budget shared by concurrent work: a request for more than is left waits, first come, first served. */
export class ByteBudget {
  readonly #total: number;
  readonly #waiting: { readonly bytes: number; readonly grant: () => void }[] = [];
  #inFlight = 0;
  #peak = 0;

  /** @param total bytes; a larger request is granted when no other work holds any */
  constructor(total: number) {
    this.#total = total;
  }

  /** Bytes taken now. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** The most bytes that were taken at a time. */
  get peak(): number {
    return this.#peak;
  }

  /** Waits until this many bytes are free and takes them; returns the function that gives them back. */
  async take(bytes: number): Promise<() => void> {
    await new Promise<void>((grant) => {
      this.#waiting.push({ bytes, grant });
      this.#admit();
    });
    let isTaken = true;
    return () => {
      if (!isTaken) return;
      isTaken = false;
      this.#inFlight -= bytes;
      this.#admit();
    };
  }

  #admit(): void {
    for (
      let [first] = this.#waiting;
      first && (this.#inFlight === 0 || this.#inFlight + first.bytes <= this.#total);
      [first] = this.#waiting
    ) {
      this.#waiting.shift();
      this.#inFlight += first.bytes;
      this.#peak = Math.max(this.#peak, this.#inFlight);
      first.grant();
    }
  }
}
