// The reference of the library's functions, by TypeDoc, as a part of the site.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { deflateSync, inflateSync } from "node:zlib";
import { Application } from "typedoc";
import { ICON } from "../../docs/.vitepress/icon.mjs";

const at = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const UP = "site:/"; // stands for the way from a page of the reference to the site's first page

/** Writes the reference into a folder of the site's. */
export async function buildReference(out) {
  const application = await Application.bootstrapWithPlugins({
    options: at("typedoc.json"),
    out,
    hideGenerator: true,
    navigationLinks: { Guide: `${UP}getting_started.html`, Playground: `${UP}playground/index.html` },
    customCss: at("tools/site/reference.css"),
  });
  const project = await application.convert();
  if (!project) throw new Error("TypeDoc found errors in the library's comments");
  await application.generateOutputs(project);
  for (const name of readdirSync(out, { recursive: true }).filter((name) => name.endsWith(".html"))) {
    const up = "../".repeat(name.split(/[/\\]/).length);
    const html = readFileSync(join(out, name), "utf8");
    const icon = `</title><link rel="icon" href="${ICON}"/>`;
    writeFileSync(join(out, name), withoutNestedLinks(html).replaceAll(UP, up).replace("</title>", icon));
  }
  const navigation = join(out, "assets", "navigation.js");
  writeFileSync(
    navigation,
    readFileSync(navigation, "utf8").replace(/"(.*)"/, (_, data) => `"${separated(data)}"`),
  );
}

/** A page whose headings that open and close hold no links to themselves: not every screen reader reaches these. */
const withoutNestedLinks = (html) =>
  html.replace(/<summary[\s\S]*?<\/summary>/g, (summary) =>
    summary.replace(/<a [^>]*class="tsd-anchor-icon"[\s\S]*?<\/a>/g, ""),
  );

/** TypeDoc's navigation with the link of each entry that opens as the first of what it opens, for the same reason. */
function separated(data) {
  const apart = (entries) =>
    entries.map(({ children, path, ...entry }) =>
      children
        ? { ...entry, children: [{ text: `All of ${entry.text}`, path, kind: entry.kind }, ...apart(children)] }
        : { ...entry, path },
    );
  const entries = JSON.parse(inflateSync(Buffer.from(data, "base64")).toString());
  return deflateSync(JSON.stringify(apart(entries))).toString("base64");
}
