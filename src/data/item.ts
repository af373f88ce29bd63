/** An image of a dataset, by its path. Paths are relative to the dataset's root, with forward slashes. */
export interface Item {
  readonly path: string;
  readonly defective: boolean;
  /** "good", or the name of the defect's folder. */
  readonly defect: string;
  /** Ground-truth masks: a pixel is defective if it is nonzero in any of them. Empty if there are none. */
  readonly masks: readonly string[];
}

/** One kind of inspected object. */
export interface DatasetClass {
  readonly name: string;
  /** Good images. */
  readonly train: readonly Item[];
  readonly test: readonly Item[];
}

/** A path that was skipped, with the reason: it cannot be read, or was read already. */
export interface SkippedPath {
  readonly path: string;
  readonly reason: string;
}
