// Makes sure that Dawn finds a WebGPU adapter on this machine: the GPU's, if there is one; otherwise Mesa's software
// adapter, which is installed on Debian and Ubuntu as root, elsewhere only recommended. Runs before `npm start` and
// `npm test`.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { aptGet } from "./apt_get.mjs";

const LIBRARY = new URL("../../dist/node.js", import.meta.url);
const BACKPORTS = "/etc/apt/sources.list.d/bigrid-backports.sources";
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
const PROBE_MILLISECONDS = 60_000;

// Dawn needs a feature that Mesa has since version 23; Debian 12 ships 22.3.
const NEEDS_BACKPORTS = { debian: { 12: "bookworm-backports" } };

/** Fields of /etc/os-release. */
export function parseOsRelease(text) {
  const fields = [...text.matchAll(/^(\w+)=("?)(.*)\2$/gm)].map(([, key, , value]) => [key, value]);
  return Object.fromEntries(fields);
}

/**
 * The mirror from which apt currently takes a suite, or null.
 * @param indexTargets output of `apt-get indextargets --format "$(SITE) $(RELEASE)"`
 */
export function mirrorOf(indexTargets, suite) {
  const rows = indexTargets.split("\n").map((line) => line.trim().split(/\s+/));
  return rows.find(([, release]) => release === suite)?.[0] ?? null;
}

/** An apt sources file for one suite, whose packages are accepted only if signed by a key of the keyring. */
export function sourcesFile(mirror, suite, keyring) {
  return `${["Types: deb", `URIs: ${mirror}`, `Suites: ${suite}`, "Components: main", `Signed-By: ${keyring}`].join("\n")}\n`;
}

/**
 * Adds a suite to apt's sources.
 * @param paths of the sources file to write, and of the keyring
 * @throws Error if there is no keyring: apt would then accept packages signed by any key that it knows
 */
export function addSuite(mirror, suite, { sources, keyring } = { sources: BACKPORTS, keyring: KEYRING }) {
  if (!(statSync(keyring, { throwIfNoEntry: false })?.size > 0)) {
    throw new Error(
      `${suite} is not enabled: Debian's keys, ${keyring}, are missing; install them (apt-get install debian-archive-keyring), or enable ${suite} by hand`,
    );
  }
  writeFileSync(sources, sourcesFile(mirror, suite, keyring));
}

/**
 * The remedy on a machine without an adapter.
 * @returns the packages for apt-get and their suite, or advice for the user
 */
export function planFor({ platform, os, root, apt }) {
  const family = [os.ID, ...(os.ID_LIKE ?? "").split(" ")];
  const debian = platform === "linux" && (family.includes("debian") || family.includes("ubuntu"));
  const suite = NEEDS_BACKPORTS[os.ID]?.[os.VERSION_ID] ?? null;
  if (debian && root && apt) return { install: ["mesa-vulkan-drivers", "libvulkan1"], suite };
  if (debian) {
    const target = suite ? ` -t ${suite}` : "";
    const enable = suite ? ` (enable the suite ${suite} first)` : "";
    return { advice: `as root: apt-get install${target} mesa-vulkan-drivers libvulkan1${enable}` };
  }
  if (platform === "linux")
    return {
      advice:
        "install your GPU's Vulkan driver, or Mesa's lavapipe, version 24 or newer (Fedora: mesa-vulkan-drivers; Arch: vulkan-swrast)",
    };
  if (platform === "darwin") return { advice: "macOS 11 or newer with Metal is needed" };
  if (platform === "win32") return { advice: "install your GPU's driver; Direct3D 12 or Vulkan is needed" };
  return { advice: `Dawn is not built for ${platform}` };
}

/** The adapter's description, or null. Runs in a separate process, which a broken driver may crash. */
function probe() {
  const code = `
    const { describeAdapter } = await import(${JSON.stringify(LIBRARY.href)});
    const { adapter } = await describeAdapter();
    process.stdout.write(adapter.description, () => process.exit(0));`;
  const { status, stdout } = spawnSync(process.execPath, ["--input-type=module", "--eval", code], {
    encoding: "utf8",
    timeout: PROBE_MILLISECONDS,
  });
  return status === 0 ? stdout : null;
}

function install({ install: packages, suite }) {
  console.error(
    `no WebGPU adapter; installing Mesa's software adapter (${packages.join(", ")}${suite ? ` from ${suite}` : ""})`,
  );
  aptGet("update");
  if (suite) {
    const targets = execFileSync("apt-get", ["indextargets", "--format", "$(SITE) $(RELEASE)"], { encoding: "utf8" });
    if (!mirrorOf(targets, suite)) {
      const mirror = mirrorOf(targets, suite.replace("-backports", ""));
      if (!mirror) throw new Error(`apt has no mirror of ${suite.replace("-backports", "")}; enable ${suite} by hand`);
      addSuite(mirror, suite);
      aptGet("update");
    }
  }
  aptGet("install", "--yes", "--no-install-recommends", ...(suite ? ["--target-release", suite] : []), ...packages);
}

function main() {
  if (!existsSync(LIBRARY))
    throw new Error("the library that looks for adapters is not built: npm run build, then again");
  const found = probe();
  if (found) return console.error(`WebGPU adapter: ${found}`);
  const os = existsSync("/etc/os-release") ? parseOsRelease(readFileSync("/etc/os-release", "utf8")) : {};
  const plan = planFor({
    platform: process.platform,
    os,
    root: process.getuid?.() === 0,
    apt: existsSync("/usr/bin/apt-get"),
  });
  if (plan.install) {
    install(plan);
    const installed = probe();
    if (installed) return console.error(`WebGPU adapter: ${installed}`);
  }
  const advice =
    plan.advice ?? "the software adapter is installed, and Dawn still finds none; node dist/cli.js info says why";
  console.error(`no WebGPU adapter: ${advice}. VK_DRIVER_FILES names a Vulkan driver explicitly.`);
  process.exitCode = 1;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    main();
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
