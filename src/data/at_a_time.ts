const AT_A_TIME = 8;

/** Does something with each item, a few at a time, so that no more files than that are open. */
export async function forEach<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) await work(items[next++]!);
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, worker));
}
