import { describe, expect, test } from "vitest";
import { UsageError } from "../../src/runtime/errors.ts";
import { BufferPool } from "../../src/runtime/pool.ts";

function makePool(maxBytes = 1 << 20) {
  return { pool: new BufferPool((size) => ({ size }) as unknown as GPUBuffer, maxBytes) };
}

describe("a pool", () => {
  test("lends a returned buffer of the same size again, and counts", () => {
    const { pool } = makePool();
    const first = pool.allocate(300);
    expect(pool.use()).toEqual({ bytes: 512, allocations: 1, peakBytes: 512, freeBytes: 0, buffersCreated: 1 });
    pool.release(first);
    pool.release(first); // twice does nothing
    expect(pool.use()).toEqual({ bytes: 0, allocations: 0, peakBytes: 512, freeBytes: 512, buffersCreated: 1 });
    expect(pool.allocate(512).buffer).toBe(first.buffer);
    expect(pool.allocate(512).buffer).not.toBe(first.buffer);
    expect(pool.use()).toMatchObject({ bytes: 1024, peakBytes: 1024, buffersCreated: 2, freeBytes: 0 });
  });

  test("remembers the most that was lent", () => {
    const { pool } = makePool();
    pool.release(pool.allocate(1024));
    pool.allocate(256);
    expect(pool.use()).toMatchObject({ bytes: 256, peakBytes: 1024, freeBytes: 1024 });
  });

  test("lends the oldest free buffer first, in whatever order they came back: a loop gets the same ones each round", () => {
    const { pool } = makePool();
    const round = (order: readonly number[]): GPUBuffer[] => {
      const lent = [pool.allocate(256), pool.allocate(256), pool.allocate(256), pool.allocate(512)];
      for (const i of order) pool.release(lent[i]!);
      return lent.map(({ buffer }) => buffer);
    };
    const first = round([1, 0, 3, 2]);
    for (const order of [
      [0, 1, 2, 3],
      [2, 1, 3, 0],
      [3, 0, 2, 1],
    ]) {
      round(order).forEach((buffer, i) => expect(buffer).toBe(first[i]));
    }
    expect(pool.use().buffersCreated).toBe(4);
  });

  test("refuses what cannot be bound", () => {
    expect(makePool(1000).pool.allocate(1000).bytes).toBe(1024);
    expect(() => makePool(1000).pool.allocate(1001)).toThrow(
      "a tensor of 1001 bytes is larger than any buffer of this device (1000)",
    );
    expect(() => makePool().pool.allocate(NaN)).toThrow("larger than");
  });
});

describe("a scope", () => {
  test("releases what was made in it, except what is kept, which moves outwards", () => {
    const { pool } = makePool();
    const outer = pool.scope();
    const inner = pool.scope();
    pool.allocate(256);
    const holder = inner.keep({ allocation: pool.allocate(512) });
    inner[Symbol.dispose]();
    expect(pool.use().bytes).toBe(512);
    expect(outer.owns(holder.allocation)).toBe(true);
    outer[Symbol.dispose]();
    expect(pool.use().bytes).toBe(0);
  });

  test("leaves what others made alone", () => {
    const { pool } = makePool();
    const before = pool.allocate(256);
    const scope = pool.scope();
    scope.release(before);
    scope.keep({ allocation: before });
    scope[Symbol.dispose]();
    expect(pool.use().allocations).toBe(1);
  });

  test("can give one thing back early", () => {
    const { pool } = makePool();
    const scope = pool.scope();
    const early = pool.allocate(256);
    scope.release(early);
    expect(pool.use().bytes).toBe(0);
    scope[Symbol.dispose]();
    expect(pool.use().freeBytes).toBe(256);
  });

  test("that is open across an await takes nothing of other work, and says so when it closes", async () => {
    const { pool } = makePool();
    const other = async () => (await Promise.resolve(), pool.allocate(512));
    const careless = async () => {
      using _outer = pool.scope();
      using inner = pool.scope();
      pool.allocate(256);
      const kept = inner.keep({ allocation: pool.allocate(256) });
      await Promise.resolve();
      return kept;
    };
    const [refused, theirs] = await Promise.all([careless().catch((error: unknown) => error), other()]);
    // the outer's, around the inner's
    expect((refused as { readonly error: unknown }).error).toBeInstanceOf(UsageError);
    expect(pool.use().bytes).toBe(512 + 256); // theirs, and what was kept before
    expect(pool.use().allocations).toBe(2);
    pool.release(theirs);
    using _scope = pool.scope(); // nothing is left open
    pool.allocate(256);
  });

  test("that is open across an await says so at the next keep, and then closes in silence", async () => {
    const { pool } = makePool();
    const careless = async () => {
      using scope = pool.scope();
      await Promise.resolve();
      scope.keep({ allocation: pool.allocate(256) });
    };
    await expect(careless()).rejects.toThrow(
      "a scope was still open when its function awaited something, where other work would allocate into it: close it before",
    );
  });

  test("may be open across an await where that was asked for; those inside it may not", async () => {
    const { pool } = makePool();
    const careful = async () => {
      using scope = pool.scope({ awaits: true });
      await Promise.resolve();
      pool.allocate(256);
      return scope.keep({ allocation: pool.allocate(512) });
    };
    await careful();
    expect(pool.use().bytes).toBe(512);
    const careless = async () => {
      using _outer = pool.scope({ awaits: true });
      using _inner = pool.scope();
      await Promise.resolve();
    };
    await expect(careless()).rejects.toThrow("still open when its function awaited");
  });

  test("closes once", () => {
    const { pool } = makePool();
    const outer = pool.scope();
    const inner = pool.scope();
    for (let i = 0; i < 2; i++) inner[Symbol.dispose]();
    outer[Symbol.dispose]();
    expect(outer.isClosed).toBe(true);
  });

  test("must close before the one around it", () => {
    const { pool } = makePool();
    const outer = pool.scope();
    pool.scope();
    expect(() => outer[Symbol.dispose]()).toThrow("reverse order");
  });
});
