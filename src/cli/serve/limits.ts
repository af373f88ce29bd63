/** Bounds of the service. Times are in milliseconds. */
export interface ServeLimits {
  /** Images per batch of a detector. */
  readonly batch: number;
  /** Bytes of a request's body. */
  readonly body: number;
  /** Pixels of an image. */
  readonly pixels: number;
  /** Connections at a time. */
  readonly connections: number;
  /** Images that wait for a batch. */
  readonly queue: number;
  /** Time for a client to send a request's header, and again its body. */
  readonly send: number;
  /** Time from a whole request to its answer. */
  readonly wait: number;
}
