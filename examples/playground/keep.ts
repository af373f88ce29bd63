// What outlives the tab: the pictures of a training, its state, and the finished model, in the page's own file system.
import type { LeftTraining, Picture, TrainingChoice } from "./protocol.ts";

const FOLDER = "bigrid";
const PICTURES = "pictures";
const MANIFEST = "training.json";
const STATE = "training.safetensors";
const MODEL = "model.safetensors";

interface Manifest {
  readonly names: readonly string[];
  readonly choice: TrainingChoice;
  readonly taken: number;
}

const folder = async (): Promise<FileSystemDirectoryHandle> =>
  (await navigator.storage.getDirectory()).getDirectoryHandle(FOLDER, { create: true });

/** Writes a file as a whole or not at all: what is written takes the old one's place when it is closed. */
async function write(into: FileSystemDirectoryHandle, name: string, data: FileSystemWriteChunkType): Promise<void> {
  const stream = await (await into.getFileHandle(name, { create: true })).createWritable();
  await stream.write(data);
  await stream.close();
}

async function read(from: FileSystemDirectoryHandle, name: string): Promise<File | null> {
  return from.getFileHandle(name).then(
    (handle) => handle.getFile(),
    () => null,
  );
}

const remove = (from: FileSystemDirectoryHandle, name: string): Promise<void> =>
  from.removeEntry(name, { recursive: true }).catch(() => undefined);

async function manifest(): Promise<Manifest | null> {
  const file = await read(await folder(), MANIFEST);
  return file && file.size > 0 ? (JSON.parse(await file.text()) as Manifest) : null;
}

/** Keeps what a training is made of, instead of what was kept before. */
export async function keepPictures(pictures: readonly Picture[], choice: TrainingChoice): Promise<void> {
  const root = await folder();
  await forgetTraining();
  const into = await root.getDirectoryHandle(PICTURES, { create: true });
  for (const [i, { file }] of pictures.entries()) await write(into, String(i), file);
  await write(
    root,
    MANIFEST,
    JSON.stringify({ names: pictures.map(({ name }) => name), choice, taken: 0 } satisfies Manifest),
  );
}

/** Keeps where a training stands. */
export async function keepState(state: Uint8Array<ArrayBuffer>, taken: number): Promise<void> {
  const root = await folder();
  const known = (await manifest())!;
  await write(root, STATE, state);
  await write(root, MANIFEST, JSON.stringify({ ...known, taken } satisfies Manifest));
}

/** The training that was left, if there is one. */
export async function leftTraining(): Promise<LeftTraining | null> {
  const known = await manifest();
  return known && { pictures: known.names.length, taken: known.taken, choice: known.choice };
}

/** Everything of the training that was left; its state is null where it had taken no step. */
export async function keptTraining(): Promise<{
  readonly pictures: Picture[];
  readonly choice: TrainingChoice;
  readonly state: Uint8Array | null;
} | null> {
  const known = await manifest();
  if (!known) return null;
  const root = await folder();
  const from = await root.getDirectoryHandle(PICTURES);
  const pictures = await Promise.all(
    known.names.map(async (name, i) => ({ name, file: (await read(from, String(i)))! })),
  );
  const state = await read(root, STATE);
  return {
    pictures,
    choice: known.choice,
    state: state && state.size > 0 ? new Uint8Array(await state.arrayBuffer()) : null,
  };
}

export async function forgetTraining(): Promise<void> {
  const root = await folder();
  for (const name of [MANIFEST, STATE, PICTURES]) await remove(root, name);
}

export async function keepModel(model: Uint8Array<ArrayBuffer>): Promise<void> {
  await write(await folder(), MODEL, model);
}

/** The last finished model, if there is one. */
export async function keptModel(): Promise<File | null> {
  const file = await read(await folder(), MODEL);
  return file && file.size > 0 ? file : null;
}

/** Keeps a backbone's weights that were downloaded or chosen. */
export const keepWeights = async (name: string, file: Blob): Promise<void> =>
  write(await folder(), `${name}.safetensors`, file);

export const keptWeights = async (name: string): Promise<File | null> => read(await folder(), `${name}.safetensors`);
