// The driver without its hardware: finds Mesa's RADV, builds a Vulkan layer, and runs a program on both.
import { spawnSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UnsupportedError } from "../../runtime/errors.ts";
import { listingsOf, type Listing } from "./listing.ts";
import type { Manifest } from "./manifest.ts";
import layerSource from "./null_device.c?raw";

const REMEDY = "as root: apt-get install gcc libvulkan-dev mesa-vulkan-drivers (Mesa 24 or newer)";
const LAYER = "VK_LAYER_BIGRID_null_device";
const LAST_LINES = 5; // of what the driver said before it failed

/** Places in which a machine keeps what is needed. */
export interface Places {
  /** Environment, in which PATH leads to the compiler. */
  readonly environment: NodeJS.ProcessEnv;
  /** Folders of Vulkan's drivers. */
  readonly drivers: readonly string[];
}

export const SYSTEM: Places = {
  environment: process.env,
  drivers: ["/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/etc/vulkan/icd.d"],
};

/** The result of compiling: the manifest, and a listing for each of its pipelines. */
export interface Compiled {
  readonly manifest: Manifest;
  readonly listings: ReadonlyMap<number, Listing>;
}

/** @throws UnsupportedError if RADV is not installed */
function driverIn(folders: readonly string[]): string {
  const files = folders
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)));
  const found = files.find((file) => /radeon_icd[^/]*\.json$/.test(file));
  if (!found) throw new UnsupportedError(`isa: Mesa's driver for AMD, RADV, is not installed; ${REMEDY}`);
  return found;
}

/**
 * Builds the layer into a folder.
 * @throws UnsupportedError if there is no C compiler, or no header of Vulkan's
 */
function buildLayer(folder: string, env: NodeJS.ProcessEnv): void {
  const [source, library] = [join(folder, "null_device.c"), "libnull_device.so"];
  writeFileSync(source, layerSource);
  const { error, status, stderr } = spawnSync("gcc", ["-shared", "-fPIC", "-O1", "-o", join(folder, library), source], {
    encoding: "utf8",
    env,
  });
  if (error) throw new UnsupportedError(`isa: gcc is not installed, and the Vulkan layer is in C; ${REMEDY}`);
  if (/vulkan\/\S+: No such file/.test(stderr)) {
    throw new UnsupportedError(`isa: Vulkan's headers are not installed, which the layer needs; ${REMEDY}`);
  }
  if (status !== 0) throw new UnsupportedError(`isa: gcc does not compile the layer:\n${stderr.trim()}`);
  const negotiate = "vkNegotiateLoaderLayerInterfaceVersion";
  const layer = {
    name: LAYER,
    type: "GLOBAL",
    library_path: `./${library}`,
    api_version: "1.3.0",
    implementation_version: "1",
    description: "a device that compiles and does nothing else",
    functions: { [negotiate]: negotiate },
  };
  writeFileSync(join(folder, "null_device.json"), JSON.stringify({ file_format_version: "1.1.2", layer }));
}

/**
 * Compiles for a GPU that need not be there.
 * @param program arguments of Node for the program that asks for pipelines, given the path of the manifest that it
 *   writes with `finish`
 * @throws UnsupportedError if something is not installed, or the program does not get to its end
 */
export function compileFor(
  gpu: string,
  program: (manifest: string) => readonly string[],
  { environment, drivers }: Places,
): Compiled {
  const folder = mkdtempSync(join(tmpdir(), "bigrid-isa-"));
  try {
    const driver = driverIn(drivers);
    buildLayer(folder, environment);
    const [manifest, listing] = [join(folder, "manifest.json"), join(folder, "listing.txt")];
    const errors = openSync(listing, "a");
    const { status, signal } = spawnSync(process.execPath, program(manifest), {
      stdio: ["ignore", "ignore", errors],
      env: {
        ...environment,
        BIGRID_AUTOTUNE: "",
        MESA_SHADER_CACHE_DISABLE: "true",
        RADV_DEBUG: "asm,shaderstats,nocache",
        RADV_FORCE_FAMILY: gpu,
        VK_DRIVER_FILES: driver,
        VK_ICD_FILENAMES: driver, // its name before Vulkan 1.3.207
        VK_INSTANCE_LAYERS: LAYER,
        VK_LAYER_PATH: folder,
      },
    });
    closeSync(errors);
    const text = readFileSync(listing, "utf8");
    if (!existsSync(manifest)) {
      const words = text.trim().split("\n").slice(-LAST_LINES).join("\n");
      throw new UnsupportedError(
        `isa: compiling for ${gpu} ended early (${signal ?? `exit code ${status}`}):\n${words}`,
      );
    }
    return { manifest: JSON.parse(readFileSync(manifest, "utf8")) as Manifest, listings: listingsOf(text) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
