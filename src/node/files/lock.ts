import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { constants, readFileSync, readlinkSync, rmSync } from "node:fs";
import { open, rm, stat, type FileHandle } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { InputError } from "../../runtime/errors.ts";
import { guards } from "./files.ts";
import { isForbidden, writeReasonOf } from "./reasons.ts";
import { removePartsOf, WRITER } from "./parts.ts";
import { findTarget } from "./targets.ts";

/** Exclusive right to write an output, until it is released. */
export interface Lock extends AsyncDisposable {
  release(): Promise<void>;
}

// Milliseconds.
const PATIENCE = 3000; // a process that was just killed may still be ending
const BEAT = 3000; // between a holder's heartbeats
const SILENCE = 4 * BEAT; // without a heartbeat, after which a holder whose process cannot be checked counts as dead
const SETTLED = 500; // after which no process that found the lock free still writes its record

/** The record in a lock's file. */
interface Holder {
  readonly id: string;
  /** Its `WRITER`. */
  readonly writer: string;
  readonly pid: number;
  readonly host: string;
  /** The boot of the system, and its PID namespace: process numbers of one container mean nothing in another. */
  readonly system: string;
  readonly numbers: string;
  /** True if the kernel holds the lock and releases it when the process ends. */
  readonly kept: boolean;
  readonly since: string;
  /** Grows as long as the holder is alive. */
  readonly beat: number;
}

// Bytes of every record. While a longer one is written, a reader on a busy machine may see as much of it as the one before
// had, and its own writer then believes that it lost the lock.
const RECORD = 512;

const SYSTEM = tried(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim());
const NUMBERS = tried(() => readlinkSync("/proc/self/ns/pid"));

function tried(read: () => string): string {
  try {
    return read();
  } catch {
    return hostname(); // not Linux
  }
}

/**
 * Locks a file against writing by other processes; waits a moment for a holder that is ending.
 *
 * The lock is a file beside the output (links followed) that only its owner can open. Where the system supports flock
 * (through the command of that name, as Node has no call for it), the kernel holds the lock while this process lives,
 * even suspended, across containers and over NFS. Elsewhere, and between systems that share a disk but no locks, the
 * record in the file decides: a living holder rewrites it every few seconds, so no clocks are compared. All writing
 * checks the record first, so a holder that lost its lock stops writing.
 *
 * @param path the output; devices, pipes and the like are not locked
 * @throws InputError, naming the holder, if another process has it
 */
export async function lockFile(path: string): Promise<Lock> {
  const target = await findTarget(path);
  if (target.kind !== "file") return new Unlocked();
  const folder = dirname(target.path);
  // the name may be as long as names can be
  const digest = createHash("sha256").update(basename(target.path)).digest("hex").slice(0, 16);
  try {
    return await acquire(join(folder, `.bigrid-${digest}.lock`), path, (writer) =>
      removePartsOf(writer, folder, false),
    );
  } catch (error) {
    if (!isForbidden(error) || !target.found) throw asInputError(error, path);
    return lockItself(target.path, path).catch((error: unknown) => {
      throw asInputError(error, path);
    });
  }
}

/**
 * Locks a folder, or a named part of it, as `lockFile` locks a file.
 * @throws InputError, naming the holder, if another process has it
 */
export async function lockFolder(path: string, part = ""): Promise<Lock> {
  const target = await findTarget(path);
  const folder = target.kind === "file" ? target.path : path;
  const lock = join(folder, `.bigrid${part && `-${part}`}.lock`);
  return acquire(lock, path, (writer) => removePartsOf(writer, folder, true)).catch((error: unknown) => {
    throw asInputError(error, path);
  });
}

const OPENED = constants.O_RDWR | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0); // not what a planted link leads to

/** @param sweep removes what a dead holder left unfinished */
async function acquire(path: string, output: string, sweep: (writer: string) => Promise<void>): Promise<Lock> {
  for (const began = performance.now(); ;) {
    const file = await open(path, OPENED, 0o600).catch(async (error: unknown) => {
      const found = await stat(path).catch(() => null);
      if (!found || !isForbidden(error)) throw error;
      const remedy = "if no bigrid of theirs is running, remove it";
      throw new InputError(
        `cannot tell whether ${output} is being written: ${path} is the lock of user ${found.uid}; ${remedy}`,
      );
    });
    try {
      const kept = await keep(file);
      if (kept === false) {
        if (performance.now() - began > PATIENCE) throw isTaken(output, await recordAt(path));
        await pause(100);
        continue;
      }
      if (!(await leadsTo(path, file))) continue; // its holder has released it meanwhile
      const before = await recordAt(path);
      if (before && !isDead(before, kept === true)) {
        if (await isBeating(path, before)) throw isTaken(output, await recordAt(path));
        if (!(await leadsTo(path, file))) continue;
      }
      if (before) await sweep(before.writer);
      const held = new HeldLock(path, output, file, kept === true);
      await held.write();
      if (!kept) await pause(SETTLED);
      // another wrote its own at the same time
      if ((await recordAt(path))?.id !== held.id) throw isTaken(output, await recordAt(path));
      held.begin();
      return held;
    } finally {
      if (!HeldLock.keeps(file)) await file.close();
    }
  }
}

/** Locks the output itself, if no file can be made beside it: it is then written in place. */
async function lockItself(path: string, output: string): Promise<Lock> {
  const file = await open(path, "r+");
  if ((await keep(file)) !== false) return new Unlocked(file);
  await file.close();
  throw isTaken(output, null);
}

class Unlocked implements Lock {
  readonly #file: FileHandle | null;

  constructor(file: FileHandle | null = null) {
    this.#file = file;
  }

  async release(): Promise<void> {
    await this.#file?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }
}

let serial = 0;

class HeldLock implements Lock {
  static readonly #held = new Map<FileHandle, HeldLock>();
  readonly id = `${WRITER}-${serial++}`;
  readonly #path: string;
  readonly #output: string;
  readonly #file: FileHandle;
  readonly #kept: boolean;
  readonly #since = new Date().toISOString();
  readonly #guard = (): Promise<void> => this.require();
  #beat = 0;
  #timer: NodeJS.Timeout | undefined;
  #beating: Promise<void> = Promise.resolve();

  constructor(path: string, output: string, file: FileHandle, kept: boolean) {
    [this.#path, this.#output, this.#file, this.#kept] = [path, output, file, kept];
  }

  static keeps(file: FileHandle): boolean {
    return HeldLock.#held.has(file);
  }

  /** Writes the record. */
  async write(): Promise<void> {
    const host = { writer: WRITER, pid: process.pid, host: hostname(), system: SYSTEM, numbers: NUMBERS };
    const holder: Holder = { id: this.id, ...host, kept: this.#kept, since: this.#since, beat: this.#beat++ };
    const text = Buffer.from(`${JSON.stringify(holder).padEnd(RECORD - 1)}\n`);
    await this.#file.write(text, 0, text.length, 0);
    await this.#file.truncate(text.length);
    if (holder.beat === 0) await this.#file.datasync();
  }

  /** @throws InputError if the lock is no longer this one */
  async require(): Promise<void> {
    let now = await recordAt(this.#path);
    for (const began = performance.now(); !now && performance.now() - began < SETTLED; now = await recordAt(this.#path))
      await pause(50); // a busy system may refuse to open it for a moment
    if (now?.id === this.id && (await leadsTo(this.#path, this.#file))) return;
    const lost = now
      ? `another bigrid took ${this.#output} over (${named(now)}) while this one was suspended or out of reach`
      : `${this.#path}, the lock of ${this.#output}, was removed or changed`;
    throw new InputError(`${lost}: nothing more is written; end the other one, and run this again`);
  }

  begin(): void {
    if (HeldLock.#held.size === 0) process.on("exit", HeldLock.#releaseAll);
    HeldLock.#held.set(this.#file, this);
    guards.add(this.#guard);
    this.#timer = setInterval(() => {
      this.#beating = this.require()
        .then(() => this.write())
        .catch(() => undefined); // the next that is written is told why
    }, BEAT).unref();
  }

  async release(): Promise<void> {
    if (!HeldLock.#held.delete(this.#file)) return;
    if (HeldLock.#held.size === 0) process.off("exit", HeldLock.#releaseAll);
    guards.delete(this.#guard);
    clearInterval(this.#timer);
    await this.#beating;
    await this.require()
      .then(() => rm(this.#path, { force: true }))
      .catch(() => undefined); // another's
    await this.#file.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }

  /** Releases all locks when the process ends: a lock left behind would be free, but in the way. */
  static readonly #releaseAll = (): void => {
    for (const lock of HeldLock.#held.values()) {
      try {
        if (holderIn(readFileSync(lock.#path, "utf8"))?.id === lock.id) rmSync(lock.#path);
      } catch {
        // it is gone, or stays
      }
    }
  };
}

/**
 * Locks an open file with flock. Node has no call for it, so a child that inherits the file does it for both.
 * @returns false if another process has the lock; null if the system or file system has no flock
 */
function keep(file: FileHandle): Promise<boolean | null> {
  if (process.platform !== "linux") return Promise.resolve(null);
  return new Promise((resolve) => {
    const child = spawn("flock", ["-x", "-n", "3"], { stdio: ["ignore", "ignore", "ignore", file.fd] });
    child.once("error", () => resolve(null));
    child.once("exit", (code) => resolve(code === 0 ? true : code === 1 ? false : null));
  });
}

/** True if a path still leads to an open file, not to another that has taken its place. */
async function leadsTo(path: string, file: FileHandle): Promise<boolean> {
  const [there, own] = await Promise.all([stat(path).catch(() => null), file.stat()]);
  return there !== null && there.ino === own.ino && there.dev === own.dev;
}

/**
 * True if the holder of a record is known to have ended.
 * @param kept true if the kernel has given the lock to this process
 */
function isDead({ system, numbers, pid, kept: wasKept }: Holder, kept: boolean): boolean {
  if (system !== SYSTEM) return false;
  if (kept && wasKept) return true;
  if (numbers !== NUMBERS) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}

/** Waits for a holder's next heartbeat; false if none comes in time. */
async function isBeating(path: string, { id, beat }: Holder): Promise<boolean> {
  for (const began = performance.now(); performance.now() - began < SILENCE;) {
    await pause(SETTLED);
    const now = await recordAt(path);
    if (!now) return false;
    if (now.id !== id || now.beat !== beat) return true;
  }
  return false;
}

const MOST_BYTES = 4096;

/**
 * Reads a lock's record; null if there is none. Opens the file anew, so that a network file system asks its server.
 */
async function recordAt(path: string): Promise<Holder | null> {
  const file = await open(path).catch(() => null);
  if (!file) return null;
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MOST_BYTES), 0, MOST_BYTES, 0);
    return holderIn(buffer.toString("utf8", 0, bytesRead));
  } catch {
    return null;
  } finally {
    await file.close();
  }
}

function holderIn(text: string): Holder | null {
  try {
    const { id, writer, pid, host, system, numbers, since, beat, kept } = JSON.parse(text) as Holder;
    const isRecord =
      [id, host, system, numbers, since].every((value) => typeof value === "string") && /^[0-9a-f]{16}$/.test(writer);
    return isRecord && Number.isSafeInteger(pid) && pid > 0
      ? { id, writer, pid, host, system, numbers, since, beat, kept }
      : null;
  } catch {
    return null;
  }
}

const named = ({ pid, host, since }: Holder): string => `process ${pid} on ${host}, since ${since}`;

function isTaken(output: string, holder: Holder | null): InputError {
  const who = holder ? ` (${named(holder)})` : "";
  return new InputError(
    `another bigrid is writing ${output}${who}: wait until it ends, end it, or name another output`,
  );
}

const asInputError = (error: unknown, output: string): InputError =>
  error instanceof InputError
    ? error
    : new InputError(`cannot lock ${output}: ${writeReasonOf(error)}`, { cause: error });
