import { once } from "node:events";
import { createReadStream, statSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";

const TYPES: Readonly<Record<string, string>> = {
  ".css": "text/css",
  ".html": "text/html",
  ".jpg": "image/jpeg",
  ".js": "text/javascript",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
};

/**
 * Serves a folder's files on loopback, as any static host does.
 * @param base address of the folder on the host, with slashes around
 */
export async function serveFolder(
  folder: string,
  base = "/",
): Promise<{ readonly url: string; readonly server: Server }> {
  const server = createServer(({ url }, response) => {
    const path = normalize(decodeURIComponent(new URL(url!, "http://localhost").pathname));
    const file = join(
      folder,
      path.endsWith("/") ? `${path.slice(base.length - 1)}index.html` : path.slice(base.length - 1),
    );
    if (!path.startsWith(base) || !statSync(file, { throwIfNoEntry: false })?.isFile()) {
      response.writeHead(404).end();
      return;
    }
    response.setHeader("content-type", TYPES[extname(file)] ?? "application/octet-stream");
    createReadStream(file).pipe(response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${base}`, server };
}
