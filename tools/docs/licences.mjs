// node tools/docs/licences.mjs writes docs/licences.md: everything that is installed with bigrid or built into it, and
// its licences
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const BUILT_IN = ["uplot", "@bufbuild/protobuf"]; // their code is in dist
export const PAGE = "docs/licences.md";

/** Packages installed with bigrid, from the lock file: by name, each once. */
export function packagesOf(lock) {
  const all = Object.entries(lock.packages).filter(([path]) => path !== "");
  const nameOf = (path) => path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
  const row = ([path, { version, license, optional = false }]) => ({
    name: nameOf(path),
    version,
    licence: license ?? "unknown",
    optional,
  });
  const installed = all.filter(([, { dev, devOptional }]) => !dev && !devOptional).map(row);
  const builtIn = all
    .filter(([path]) => BUILT_IN.includes(nameOf(path)) && path === `node_modules/${nameOf(path)}`)
    .map(row);
  const byName = (a, b) => (a.name < b.name ? -1 : 1);
  return { installed: installed.sort(byName), builtIn: builtIn.sort(byName) };
}

/** The page's text. */
export function licencesPage({ installed, builtIn }) {
  const table = (packages) => [
    "| package | version | licence |",
    "|---|---|---|",
    ...packages.map(
      ({ name, version, licence, optional }) =>
        `| ${name}${optional ? " (where its platform is)" : ""} | ${version} | ${licence} |`,
    ),
  ];
  return `${[
    "# Licences",
    "",
    "bigrid is under the MIT licence. What follows comes with it; `node tools/docs/licences.mjs` writes this page, a test keeps it current.",
    "",
    "## Built in",
    "",
    ...table(builtIn),
    "",
    "## Installed with it",
    "",
    "The core (`bigrid`, `bigrid/core`) uses none of them. libvips, under the LGPL, is a shared library that sharp loads, and can be replaced.",
    "",
    ...table(installed),
  ].join("\n")}\n`;
}

export const currentPage = () => licencesPage(packagesOf(JSON.parse(readFileSync("package-lock.json", "utf8"))));

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) writeFileSync(PAGE, currentPage());
