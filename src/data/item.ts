/** An image of a dataset, as a place in it. Paths are relative to the dataset's root, with forward slashes. */
export interface Item {
  readonly path: string;
  readonly defective: boolean;
  /** "good", or the name of its folder. */
  readonly defect: string;
  /** Ground truth: a pixel is defective where any of these is not 0. Empty where there is none. */
  readonly masks: readonly string[];
}

/** One kind of thing that is looked at. */
export interface DatasetClass {
  readonly name: string;
  /** Good images. */
  readonly train: readonly Item[];
  readonly test: readonly Item[];
}

/** A path, and why it is not read or not read again. */
export interface Unreadable {
  readonly path: string;
  readonly reason: string;
}
