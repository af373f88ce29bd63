import { createHash } from "node:crypto";
import { lstat, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { basename, dirname, join } from "node:path";
import { downloadWeights } from "../../../src/node/hub.ts";

// separates two answers as they go over the wire: the description, and the file
const BETWEEN = Buffer.from("\n--- then ---\n");
// milliseconds; the server closes each connection after its answer, so nothing waits that long
const PATIENCE = 5000;
const ATTEMPTS = 5; // of a download: each may append the contents of the file's answer

/**
 * Downloads weights into a cache below `folder` from a local hub that gives an input's two answers, whatever they are.
 * Throws an Error if anything outside the cache changed, if more was written than was sent, or if the accepted file is
 * not the stated one.
 */
export async function downloadFrom(input: Uint8Array, folder: string): Promise<void> {
  const bytes = Buffer.from(input);
  const at = bytes.indexOf(BETWEEN);
  const [description, file] =
    at < 0 ? [bytes, Buffer.alloc(0)] : [bytes.subarray(0, at), bytes.subarray(at + BETWEEN.length)];
  const place = join(folder, "hub");
  const cache = join(place, "a", "b", "c", "cache"); // deep enough that paths climbing out of it stay visible
  await mkdir(cache, { recursive: true });
  await writeFile(join(place, "precious"), "as it was");
  const outside = await filesBelow(place);
  const hub = await serving((request) => (request.startsWith("POST ") ? description : file));
  try {
    const path = await downloadWeights("efficientnet-b0", { url: hub.url, cache, patience: PATIENCE });
    const sha256 = createHash("sha256")
      .update(await readFile(path))
      .digest("hex");
    for (const stated of [sha256, basename(dirname(path))])
      if (!description.includes(stated)) throw new Error(`${path}: ${stated} was never stated`);
  } finally {
    await hub.close();
    const now = await filesBelow(place);
    const written = [...now].reduce((sum, [name, size]) => sum + (outside.has(name) ? 0 : size), 0);
    const strange = [...now.keys()].filter(
      (name) => !outside.has(name) && !name.startsWith(join("a", "b", "c", "cache", "models--")),
    );
    const isSame = (await readFile(join(place, "precious"), "utf8")) === "as it was";
    await rm(place, { recursive: true });
    if (strange.length > 0 || !isSame)
      throw new Error(`changed outside of the cache: ${strange.join(", ") || "precious"}`);
    if (written > ATTEMPTS * file.length + 100) throw new Error(`${written} bytes were written for ${file.length}`);
  }
}

/** Sizes of the files below a folder by their paths; folders have none. */
async function filesBelow(folder: string): Promise<ReadonlyMap<string, number>> {
  const names = await readdir(folder, { recursive: true });
  const sizes = await Promise.all(
    names.map(async (name) => {
      const found = await lstat(join(folder, name));
      return found.isFile() ? found.size : 0;
    }),
  );
  return new Map(names.map((name, i) => [name, sizes[i]!]));
}

/** A server that answers each request with the given bytes and closes the connection. */
async function serving(
  answerTo: (request: string) => Uint8Array,
): Promise<{ readonly url: string; readonly close: () => Promise<void> }> {
  const server = createServer((socket) => {
    let request = "";
    socket.on("error", () => undefined); // the client has enough
    socket.on("data", (data) => {
      request += data.toString("latin1");
      const [head, body] = request.split("\r\n\r\n") as [string, string | undefined];
      if (body !== undefined && body.length >= Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0))
        socket.end(answerTo(request));
    });
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => new Promise((done) => server.close(() => done())),
  };
}
