// A site that is opened from a folder, without a server. Browsers refuse its modules there, so nothing runs: what is
// left is text, pictures and links, for which addresses must be relative to the page.

/** Runs in the head of each page: makes links relative, and marks the page so that style sheets know. */
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
  });
}`;

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
