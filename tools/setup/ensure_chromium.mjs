// Makes sure that there is a Chromium for the tests of pages: installs it on Debian and Ubuntu as root; elsewhere the
// tests are skipped, and this prints what to install.
import { existsSync } from "node:fs";
import { aptGet } from "./apt_get.mjs";

const PLACES = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const found = PLACES.find((path) => path && existsSync(path));

if (found) console.error(`Chromium: ${found}`);
else if (process.getuid?.() === 0 && existsSync("/usr/bin/apt-get")) {
  console.error("no Chromium; installing it for the tests of pages");
  try {
    aptGet("update");
    aptGet("install", "--yes", "--no-install-recommends", "chromium");
  } catch (error) {
    console.error(`${error.message}\nthe tests of pages are skipped`);
  }
} else console.error("no Chromium: the tests of pages are skipped; install one, or name it in CHROMIUM");
