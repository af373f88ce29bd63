// A site that is opened from a folder, without a server. Browsers refuse its modules there, so nothing runs: what is
// left is text, pictures and links, for which addresses must be relative to the page. Pages say what is missing.
import { createHash } from "node:crypto";

const REMEDY = "Serve the site's folder, for example with python3 -m http.server, and open the address that it prints.";

/** Runs in the head of each page: makes links relative, says what is missing, and marks the page for style sheets. */
export const fromFolder = `
if (location.protocol === "file:") {
  const { classList, dataset } = document.documentElement;
  classList.add("from-folder");
  addEventListener("DOMContentLoaded", () => {
    for (const link of document.querySelectorAll('a[href^="/"]')) {
      const address = new URL(link.getAttribute("href"), "http://site");
      const path = address.pathname.slice(dataset.base.length).replace(/(^|\\/)$/, "$1index.html");
      link.setAttribute("href", dataset.up + path + address.hash);
    }
    const note = Object.assign(document.createElement("p"), { className: "from-folder-note" });
    note.textContent = ${JSON.stringify(`This page was opened from a folder: it has no search, and the playground does not run. ${REMEDY}`)};
    document.querySelector(".vp-doc")?.prepend(note);
  });
}`;

/** Runs in the head of the playground's pages. */
const NOTICE = `
if (location.protocol === "file:")
  addEventListener("DOMContentLoaded", () => {
    const [notice, adapter] = ["notice", "adapter"].map((id) => document.getElementById(id));
    notice.textContent = ${JSON.stringify(`This page was opened from a folder, where browsers run no modules: nothing works here. ${REMEDY}`)};
    notice.hidden = false;
    adapter.textContent = "Opened from a folder.";
    document.querySelector("main").hidden = true;
  });
`;

/**
 * A built page of the playground that has its style from a folder too, and says what is missing. Its content security
 * policy allows the script that does so, by its hash.
 */
export function withNotice(html) {
  const hash = createHash("sha256").update(NOTICE).digest("base64");
  return html
    .replace(/(<link rel="stylesheet") crossorigin/g, "$1")
    .replace("script-src 'self'", `script-src 'self' 'sha256-${hash}'`)
    .replace("</head>", `<script>${NOTICE}</script>\n</head>`);
}

/** A page whose style sheets and pictures have addresses relative to it; it names its base and the way up to that. */
export function withRelativeAssets(html, page, base) {
  const up = "../".repeat(page.split("/").length - 1) || "./";
  return html
    .replace("<html ", `<html data-base="${base}" data-up="${up}" `)
    .replace(
      /(<link rel="preload stylesheet" href=")([^"]+)/g,
      (_, start, href) => start + up + href.slice(base.length),
    )
    .replace(/(<(?:img|source)\b[^>]* (?:src|srcset)=")([^"]+)/g, (whole, start, address) =>
      address.startsWith(base) ? start + up + address.slice(base.length) : whole,
    );
}
