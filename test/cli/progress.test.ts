// The progress bar: whole things, and a share of the next one on a terminal.
import { PassThrough } from "node:stream";
import { expect, test, vi } from "vitest";

/** Everything that a bar of two images writes, whose first one is done by shares; `wait` lets it redraw. */
async function written(isTTY: boolean): Promise<string> {
  const stream = Object.assign(new PassThrough(), { isTTY, columns: 200 });
  const parts: string[] = [];
  stream.on("data", (part: Buffer) => parts.push(part.toString()));
  vi.resetModules();
  vi.doMock("../../src/cli/terminal/messages.ts", () => ({ messages: stream }));
  const { showProgress } = await import("../../src/cli/terminal/progress.ts");
  const bar = showProgress("Inspection", 2);
  bar.updatePartly(0, 0.75, "| tile 24 of 32");
  await new Promise((resolve) => setTimeout(resolve, 300));
  bar.update(1, "| 0.5 images/s");
  bar.end();
  return parts.join("");
}

test("a terminal shows the share, and whole images", async () => {
  const text = await written(true);
  expect(text).toMatch(/37% \| 0\/2.*\| tile 24 of 32/);
  expect(text).toMatch(/50% \| 1\/2.*\| 0\.5 images\/s/);
  expect(text).not.toContain("0.75");
});

test("plain lines have nothing of it", async () => {
  const text = await written(false);
  expect(text).toMatch(/50% \| 1\/2.*\| 0\.5 images\/s/);
  expect(text).not.toContain("37%");
  expect(text).not.toContain("tile");
});
