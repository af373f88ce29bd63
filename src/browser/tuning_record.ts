import type { TuningStore } from "../runtime/tuner.ts";

const [DATABASE, STORE] = ["bigrid", "tuning"];

/** Keeps an adapter's choices as a record of the page's IndexedDB. */
export function tuningRecord(key: string): TuningStore {
  const load = () => within("readonly", (store) => store.get(key) as IDBRequest<unknown>);
  return {
    load,
    save: async (choices) => {
      const others = (await load()) as Readonly<Record<string, string>> | undefined;
      await within("readwrite", (store) => store.put({ ...others, ...choices }, key));
    },
  };
}

/** The result of a request, made in a transaction of its own. */
async function within<T>(mode: IDBTransactionMode, request: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const opening = indexedDB.open(DATABASE, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
  const database = await resultOf(opening);
  try {
    return await resultOf(request(database.transaction(STORE, mode).objectStore(STORE)));
  } finally {
    database.close();
  }
}

const resultOf = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("IndexedDB refused"));
  });
