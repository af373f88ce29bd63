// Pages' content security policies, and the development server that serves two of them.
import { createServer as createHttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { createLogger, createServer, type ViteDevServer } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { temporaryFolder } from "../harness/temporary.ts";
import { executablePath, launch, servedSite } from "./chromium.ts";

const PAGES = ["index.html", "kernels.html"];
const suite = executablePath === undefined ? "policies of pages (skipped: no Chromium)" : "policies of pages";

describe.skipIf(executablePath === undefined)(suite, () => {
  let browser: Browser;
  let site: Awaited<ReturnType<typeof servedSite>>;
  let development: ViteDevServer;
  const said: string[] = [];
  let asked = 0;
  const elsewhere = createHttpServer((_request, response) => {
    asked++;
    response.setHeader("access-control-allow-origin", "*").end("window.hacked = 1");
  });

  beforeAll(async () => {
    const folder = await temporaryFolder();
    await new Promise<void>((done) => elsewhere.listen(0, "127.0.0.1", done));
    const customLogger = createLogger("info");
    customLogger.info =
      customLogger.warn =
      customLogger.warnOnce =
      customLogger.error =
        (text: string) => void said.push(text);
    development = await createServer({
      configFile: "vite.site.config.ts",
      cacheDir: join(folder, "vite"),
      customLogger,
      server: { host: "127.0.0.1", port: 0 },
    });
    await development.listen();
    [site, browser] = await Promise.all([servedSite(), launch()]);
  });
  afterAll(async () => {
    await browser.close();
    await site.close();
    await development.close();
    elsewhere.close();
  });

  /** Puts scripts into a page in several ways, and asks for things elsewhere. */
  const attack = (page: Page, address: string) =>
    page.evaluate(async (address) => {
      const add = (tag: string, fields: object) =>
        document.body.append(Object.assign(document.createElement(tag), fields));
      add("script", { textContent: "window.hacked = 1" });
      add("script", { src: address });
      add("div", {
        innerHTML:
          '<img src="x" onerror="window.hacked = 1"><iframe srcdoc="<script>parent.hacked = 1</script>"></iframe>',
      });
      add("object", { data: address });
      add("img", { src: address });
      document.head.append(Object.assign(document.createElement("base"), { href: address }));
      const answered = await fetch(address).then(
        () => true,
        () => false,
      );
      await new Promise((done) => setTimeout(done, 500));
      return { answered, hacked: "hacked" in window, base: document.baseURI.startsWith(address) };
    }, address);

  test.each(
    PAGES.flatMap(
      (name) =>
        [
          [name, "built"],
          [name, "in development"],
        ] as const,
    ),
  )("%s, %s, runs, and nothing that is put into it does", async (name, kind) => {
    const page = await browser.newPage();
    const errors: string[] = [];
    const heard: string[] = [];
    page.on("pageerror", ({ message }) => errors.push(message));
    page.on("console", (message) => (message.type() === "error" ? errors : heard).push(message.text()));
    await page.goto(`${kind === "built" ? site.url : development.resolvedUrls!.local[0]!}${name}`);
    await page.waitForSelector('#adapter[data-state="there"]');
    expect(errors).toEqual([]);
    expect(await page.evaluate(() => getComputedStyle(document.body).fontFamily)).not.toBe("serif");
    if (kind !== "built") await expect.poll(() => heard.join("\n"), { timeout: 60_000 }).toContain("[vite] connected");
    expect(await attack(page, `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/`)).toEqual({
      answered: false,
      hacked: false,
      base: false,
    });
    expect(asked).toBe(0);
    await page.close();
  });

  test("the development server has nothing to complain about", () => {
    expect(said.filter((text) => /\(!\)|error|fail/i.test(text))).toEqual([]);
  });
});
