import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { addSuite, mirrorOf, parseOsRelease, planFor, sourcesFile } from "../../tools/setup/ensure_adapter.mjs";
import { temporaryFolder } from "../harness/temporary.ts";

const folder = await temporaryFolder();
const BOOKWORM = parseOsRelease('PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\nID=debian\n');

test("Debian 12 needs its backports, newer ones do not", () => {
  expect(planFor({ platform: "linux", os: BOOKWORM, root: true, apt: true })).toEqual({
    install: ["mesa-vulkan-drivers", "libvulkan1"],
    suite: "bookworm-backports",
  });
  expect(planFor({ platform: "linux", os: { ...BOOKWORM, VERSION_ID: "13" }, root: true, apt: true }).suite).toBeNull();
  expect(
    planFor({ platform: "linux", os: { ID: "ubuntu", ID_LIKE: "debian", VERSION_ID: "24.04" }, root: true, apt: true })
      .suite,
  ).toBeNull();
});

test("who may not install is told what to install", () => {
  expect(planFor({ platform: "linux", os: BOOKWORM, root: false, apt: true }).advice).toContain(
    "apt-get install -t bookworm-backports mesa-vulkan-drivers",
  );
  expect(planFor({ platform: "linux", os: { ID: "fedora" }, root: true, apt: false }).advice).toContain(
    "Fedora: mesa-vulkan-drivers",
  );
  expect(planFor({ platform: "darwin", os: {}, root: false, apt: false }).advice).toContain("Metal");
  expect(planFor({ platform: "win32", os: {}, root: false, apt: false }).advice).toContain("Direct3D 12");
});

test("the mirror is the one that apt has", () => {
  const targets = "mirror://a/debian bookworm\nmirror://a/debian-security bookworm-security\n";
  expect(mirrorOf(targets, "bookworm")).toBe("mirror://a/debian");
  expect(mirrorOf(targets, "bookworm-backports")).toBeNull();
  expect(sourcesFile("mirror://a/debian", "bookworm-backports", "/keys")).toBe(
    "Types: deb\nURIs: mirror://a/debian\nSuites: bookworm-backports\nComponents: main\nSigned-By: /keys\n",
  );
});

test("a suite is added only where the keyring is that its packages are signed with", async () => {
  const paths = { sources: join(folder, "x.sources"), keyring: join(folder, "debian.gpg") };
  const add = () => addSuite("mirror://a/debian", "bookworm-backports", paths);
  const refusal =
    /^bookworm-backports is not enabled: Debian's keys, .*debian\.gpg, are missing; install them \(apt-get install debian-archive-keyring\), or enable/;
  expect(add).toThrow(refusal);
  await writeFile(paths.keyring, "");
  expect(add).toThrow(refusal);
  expect(await readdir(folder)).toEqual(["debian.gpg"]);
  await writeFile(paths.keyring, "keys");
  add();
  expect(await readFile(paths.sources, "utf8")).toContain(`\nSigned-By: ${paths.keyring}\n`);
});
