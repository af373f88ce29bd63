/**
 * The sizes that batches may have, from the largest: a detector keeps what it has captured for four sizes, and a fifth
 * would be captured anew each time.
 */
export const batchSizes = (batch: number): readonly number[] => [
  ...new Set([batch, Math.ceil(batch / 2), Math.ceil(batch / 4), 1]),
];
