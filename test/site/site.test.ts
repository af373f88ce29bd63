// The whole site, built once for a folder of a host, and looked at in Chromium.
import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import type { Server } from "node:http";
import { createRequire } from "node:module";
import { dirname, join, posix } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import type { AxeResults } from "axe-core";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { addressOf, linkTo } from "../../docs/.vitepress/pages.mjs";
import { PAGES } from "../docs/pages.ts";
import { serveFolder } from "../harness/static_server.ts";
import { temporaryFolder } from "../harness/temporary.ts";
import { complaintsOf, executablePath, launch } from "../playground/chromium.ts";

const BASE = "/some/folder/";
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
const HANGS = 900_000; // against waiting for ever: the build takes a minute or two
const MOST_SCRIPT = 300e3; // bytes as they are, before a host compresses them
const BESIDE = ["playground/index.html", "playground/kernels.html", "api/index.html"];
/** The pages that are written: guides, methods, kernels, results, decisions, notes. */
const WRITTEN = PAGES.map((source) => linkTo(source).slice(1));
/** A written page of each kind of look. */
const LOOKS = ["", "predict.html", "methods/patchcore.html", "results.html", "notes/protocol.html"];
/** Pages that are made otherwise: the playground's, and one of each kind of the reference's. */
const MADE = [
  "playground/index.html",
  "playground/kernels.html#grid_sample",
  "playground/kernels.html#your-own",
  "api/index.html",
  "api/modules/bigrid_node.html",
  "api/functions/bigrid.gridSample.html",
  "api/classes/bigrid.Adam.html",
  "api/interfaces/bigrid.AdamOptions.html",
  "api/types/bigrid.DType.html",
  "api/variables/bigrid.BACKBONES.html",
  "api/hierarchy.html",
];
const [NARROW, WIDE] = [400, 1280]; // pixels

const site = join(await temporaryFolder(), "site");

beforeAll(async () => {
  await promisify(execFile)(process.execPath, ["tools/site/build_site.mjs", site], {
    env: { ...process.env, BASE, NODE_ENV: "production" },
  });
}, HANGS);

const filesOf = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => posix.relative(site, join(entry.parentPath, entry.name)));

describe("the site's files", () => {
  test("hold every page", () => {
    const pages = [...PAGES.map((source) => addressOf(source).replace(/\.md$/, ".html")), ...BESIDE];
    expect(pages.length).toBeGreaterThan(45);
    expect(pages.filter((page) => !existsSync(join(site, page)))).toEqual([]);
  });

  test("have no link that leads nowhere", () => {
    const files = new Set(filesOf(site));
    const html = [...files].filter((file) => file.endsWith(".html") && file !== "404.html");
    const read = new Map(html.map((file) => [file, readFileSync(join(site, file), "utf8")]));
    const anchors = new Map([...read].map(([file, text]) => [file, new Set(valuesOf(text, "id"))]));
    let links = 0;
    const dead = [...read].flatMap(([file, text]) =>
      [...valuesOf(text, "href"), ...valuesOf(text, "src")]
        .filter((address) => !/^(https?:|data:|blob:)/.test(address))
        .filter((address) => {
          links++;
          const { pathname, hash } = new URL(address, `http://site${BASE}${file}`);
          if (!pathname.startsWith(BASE)) return true;
          const path = decodeURIComponent(pathname.slice(BASE.length)).replace(/(^|\/)$/, "$1index.html");
          if (!files.has(path)) return true;
          const anchor = decodeURIComponent(hash.slice(1));
          if (anchor === "" || anchors.get(path)?.has(anchor) !== false) return false;
          return path !== "playground/kernels.html" || !existsSync(`shaders/${anchor}.wgsl`); // it shows what is named
        })
        .map((address) => `${file}: ${address}`),
    );
    expect(links).toBeGreaterThan(5000);
    expect(dead).toEqual([]);
  });

  test("ask nobody else for anything", () => {
    const loading =
      /<(?:script|link|img|source|iframe)\b[^>]*(?:src|href|srcset)="(?:https?:)?\/\/|@import|url\(["']?https?:/;
    const asking = filesOf(site).filter(
      (file) => /\.(html|css)$/.test(file) && loading.test(readFileSync(join(site, file), "utf8")),
    );
    expect(asking).toEqual([]);
  });
});

/** The values of an attribute in a page. */
const valuesOf = (html: string, attribute: string): string[] =>
  [...html.matchAll(new RegExp(`\\s${attribute}="([^"]*)"`, "g"))].map(([, value]) => value!.replaceAll("&amp;", "&"));

const suite = executablePath === undefined ? "the site in a browser (skipped: no Chromium)" : "the site in a browser";
describe.skipIf(executablePath === undefined)(suite, () => {
  let browser: Browser;
  let server: Server;
  let url: string;

  beforeAll(async () => {
    ({ url, server } = await serveFolder(site, BASE));
    browser = await launch();
  });
  afterAll(async () => {
    await browser.close();
    server.close();
  });

  /** True once VitePress's program has taken over its page. */
  const isAlive = (): boolean => {
    const app = document.getElementById("app");
    return app === null || "__vue_app__" in app;
  };

  /** Does something in a page that must have nothing to complain about. @param before is given it still empty */
  async function visit(
    path: string,
    act: (page: Page) => Promise<void>,
    options: BrowserContextOptions = {},
    before: (page: Page) => void = () => undefined,
  ): Promise<void> {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    before(page);
    const complaints = complaintsOf(page, url);
    await page.goto(url + path, { waitUntil: "networkidle" });
    await page.waitForFunction(isAlive);
    await act(page);
    expect(complaints).toEqual([]);
    await context.close();
  }

  /** Violations of the rules of level A and AA, with the elements that break them. */
  async function violationsOf(page: Page): Promise<string[]> {
    await page.evaluate(() => Promise.all(document.getAnimations().map(({ finished }) => finished)));
    const { violations, passes } = await page.evaluate(
      (values) =>
        (globalThis as unknown as { axe: { run: (root: Document, options: object) => Promise<AxeResults> } }).axe.run(
          document,
          { runOnly: values },
        ),
      LEVELS,
    );
    expect(passes.length).toBeGreaterThan(5);
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
  }

  /** Brings the explorer's pages to where everything is shown that they have. */
  async function unfold(page: Page): Promise<void> {
    await page.waitForSelector('#adapter[data-state="there"]');
    if (page.url().endsWith("#grid_sample")) {
      await page.click("#own");
      await page.waitForSelector("#owned", { state: "visible" });
      await page.click("#edit");
    } else await page.waitForSelector("#checks", { state: "visible" });
  }

  test.each([
    ...[...WRITTEN, ...MADE].map((path) => [path, NARROW] as const),
    ...[...LOOKS, ...MADE].map((path) => [path, WIDE] as const),
  ])("/%s, %i wide, breaks no rule of level A or AA, light and dark, and is no wider", async (path, width) => {
    const scripts: Promise<number>[] = [];
    const listen = (page: Page): void => {
      page.on("response", (response) => {
        if (response.request().resourceType() === "script") scripts.push(response.body().then(({ length }) => length));
      });
    };
    const act = async (page: Page): Promise<void> => {
      if (path.startsWith("playground/kernels.html")) await unfold(page);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
      await page.evaluate(AXE);
      expect(await violationsOf(page), "light").toEqual([]);
      const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      const light = await ground();
      await page.emulateMedia({ colorScheme: "dark" });
      await expect.poll(ground).not.toBe(light);
      expect(await violationsOf(page), "dark").toEqual([]);
    };
    await visit(path, act, { viewport: { width, height: 800 }, colorScheme: "light" }, listen);
    if (!WRITTEN.includes(path)) return;
    const sizes = await Promise.all(scripts);
    expect(sizes.length).toBeGreaterThan(2);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(MOST_SCRIPT);
  });

  test("search is reached by keys, finds a word in a page, and leads there", async () => {
    await visit("", async (page) => {
      await page.keyboard.press("Control+k");
      await page.waitForSelector(".VPLocalSearchBox input:focus");
      await page.keyboard.type("letterbox");
      await page.waitForSelector(".VPLocalSearchBox .result");
      const results = await page.locator(".VPLocalSearchBox .result").allInnerTexts();
      expect(results.join("\n")).toContain("Training and evaluation");
      await page.keyboard.press("Enter");
      await page.waitForURL(`${url}*.html#*`);
      await page.waitForSelector('.vp-doc:has-text("letterbox")');
    });
  });

  test("keys skip the navigation, follow links and choose the colours", async () => {
    await visit("predict.html", async (page) => {
      await page.keyboard.press("Tab");
      expect(await page.evaluate(() => document.activeElement?.textContent.trim())).toBe("Skip to content");
      await page.keyboard.press("Enter");
      expect(await page.evaluate(() => document.activeElement?.id)).toBe("VPContent");
      await page.focus(".VPNavBarAppearance button");
      const dark = () => page.evaluate(() => document.documentElement.classList.contains("dark"));
      expect(await dark()).toBe(false);
      await page.keyboard.press("Enter");
      expect(await dark()).toBe(true);
      await page.focus('.VPSidebar a[href$="/compare.html"]');
      await page.keyboard.press("Enter");
      await page.waitForURL(`${url}compare.html`);
      await page.waitForSelector("h1:has-text('Comparing methods')");
      expect(await dark()).toBe(true);
    });
  });

  test("keys skip the explorer's list, and lead into its editor and out of it", async () => {
    await visit("playground/kernels.html#grid_sample", async (page) => {
      const focused = () => page.evaluate(() => document.activeElement?.id);
      await page.keyboard.press("Tab");
      expect(await focused()).toBe("skip");
      await page.keyboard.press("Enter");
      expect(await focused()).toBe("title");
      expect(await page.textContent("#title")).toBe("grid_sample");
      expect(new URL(page.url()).hash).toBe("#grid_sample");
      await page.waitForSelector('#adapter[data-state="there"]');
      await page.focus("#edit");
      expect(await page.evaluate(() => getComputedStyle(document.activeElement!).outlineStyle)).toBe("solid");
      await page.keyboard.press("Enter");
      expect(await focused()).toBe("editor");
      const code = await page.inputValue("#editor");
      await page.keyboard.press("Tab");
      expect(await focused()).toBe("definition-box");
      await page.keyboard.press("Shift+Tab");
      expect(await focused()).toBe("editor");
      expect(await page.inputValue("#editor")).toBe(code);
    });
  });

  test("the explorer lists what can be set of a kernel", async () => {
    await visit("playground/kernels.html#softmax", async (page) => {
      expect(await page.locator("#overrides dt").allTextContents()).toEqual([
        "WORKGROUP_SIZE: u32 = 64",
        "LANES: u32 = 1",
      ]);
    });
  });

  test("a narrow page opens its navigation", async () => {
    await visit(
      "predict.html",
      async (page) => {
        expect(await page.locator(".VPSidebar").isVisible()).toBe(false);
        await page.click(".VPLocalNav button.menu");
        await page.click('.VPSidebar a[href$="/serve.html"]');
        await page.waitForSelector("h1:has-text('The inspection service')");
      },
      { viewport: { width: 400, height: 800 } },
    );
  });

  test("links lead from pages to the playground, the explorer, the reference and back, and to sources", async () => {
    await visit("kernels.html", async (page) => {
      await page.click('.vp-doc a[href$="kernels.html#grid_sample"]');
      await page.waitForSelector("#title:has-text('grid_sample')");
      await page.click('nav >> text="Guide"');
      await page.waitForSelector("h1:has-text('Getting started')");
      await page.click('.VPNavBarMenu >> text="API"');
      await page.click('a:has-text("bigrid/node") >> nth=0');
      await page.click('#tsd-toolbar-links >> text="Guide"');
      await page.waitForSelector("h1:has-text('Getting started')");
      await page.goto(`${url}architecture.html`);
      const source = await page.locator('a[href$="/src/autograd/tape.ts.txt"]').getAttribute("href");
      const response = await page.request.get(new URL(source!, url).href);
      expect(await response.text()).toBe(readFileSync("src/autograd/tape.ts", "utf8"));
    });
  });

  test("without a server pages have their text, style, pictures and links", async () => {
    const context = await browser.newContext({ colorScheme: "dark" });
    const page = await context.newPage();
    await page.goto(pathToFileURL(join(site, "index.html")).href);
    const first = page.locator("h1");
    expect(await first.innerText()).toContain("bigrid");
    expect(await page.evaluate(() => document.images[0]!.complete && document.images[0]!.naturalWidth > 0)).toBe(true);
    expect(await page.evaluate(() => getComputedStyle(document.body).backgroundColor)).toBe("rgb(27, 27, 31)");
    expect(await page.textContent(".from-folder-note")).toContain("it has no search, and the playground does not run");
    for (const [link, title] of [
      ['.VPSidebar a >> text="All methods"', "Methods"],
      ['.vp-doc a >> text="GRAD"', "GRAD"],
      ['.VPNavBarMenu >> text="API"', "bigrid"],
      ['#tsd-toolbar-links >> text="Guide"', "Getting started"],
    ] as const) {
      await page.click(link);
      await page.waitForSelector(`h1:has-text("${title}")`);
      expect(dirname(new URL(page.url()).pathname).startsWith(site)).toBe(true);
    }
    await page.click('.VPNavBarMenu >> text="Playground"');
    for (const link of ['nav >> text="Kernels"', 'nav >> text="Guide"']) {
      await page.waitForSelector("#notice:has-text('opened from a folder')", { state: "visible" });
      expect(await page.evaluate(() => getComputedStyle(document.body).backgroundColor)).toBe("rgb(19, 18, 24)");
      await page.click(link);
    }
    await page.waitForSelector("h1:has-text('Getting started')");
    await context.close();
  });
});
