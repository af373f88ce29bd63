// Pictures that were made to do harm, or that came to harm: each is decoded, or refused in one line, before memory is
// taken for what it claims.
import { execFileSync } from "node:child_process";
import { symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { crc32, deflateSync } from "node:zlib";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { decodeImage, decodeImages, decodeMask } from "../../src/node/images.ts";
import { pictureReader } from "../../src/node/picture_reader.ts";
import { temporaryFolder } from "../harness/temporary.ts";

const folder = await temporaryFolder();
const SIDE = 50_000; // of a bomb: 10 GB as RGBA
const TOO_MANY = "it has more than 268402689 pixels";
const DAMAGED = "the image is cut off or damaged";
const UNKNOWN = "it is not an image of a known format";

/** Reads a file as an image, as a mask and in the survey; returns what each says. */
async function said(name: string, contents: Uint8Array): Promise<string[]> {
  const path = join(folder, name);
  await writeFile(path, contents);
  const reading: readonly Promise<{ readonly width: number; readonly height: number }>[] = [
    decodeImage(path),
    decodeMask(path),
    pictureReader(folder).facts(name),
  ];
  const words = reading.map((read) =>
    read.then(
      ({ width, height }) => `${width}x${height}`,
      (error: Error) => `${error.name}: ${error.message.replace(`cannot read ${path}: `, "")}`,
    ),
  );
  return Promise.all(words);
}
const thrice = (words: string) => [words, words, words];
const refused = (reason: string) => thrice(`InputError: ${reason}`);

function chunk(kind: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(kind), data]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(data.length, 0);
  frame.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
}

function png(width: number, height: number): Buffer {
  const header = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 8, 2, 0, 0, 0]);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(Buffer.alloc(1000))),
    chunk("IEND", new Uint8Array()),
  ]);
}

const picture = () => sharp({ create: { width: 64, height: 64, channels: 3, background: "#456789" } });

/** A picture whose header says another size than it has. */
async function jpeg(width: number, height: number): Promise<Buffer> {
  const file = await picture().jpeg().toBuffer();
  let at = 2;
  while (file[at + 1] !== 0xc0) at += 2 + file.readUInt16BE(at + 2);
  file.writeUInt16BE(height, at + 5);
  file.writeUInt16BE(width, at + 7);
  return file;
}

async function tiff(width: number, height: number): Promise<Buffer> {
  const file = await picture().tiff({ compression: "deflate" }).toBuffer();
  const directory = file.readUInt32LE(4);
  for (let i = 0; i < file.readUInt16LE(directory); i++) {
    const at = directory + 2 + 12 * i;
    const side = { 256: width, 257: height }[file.readUInt16LE(at)];
    if (side === undefined) continue;
    file.writeUInt16LE(4, at + 2); // of 32 bits
    file.writeUInt32LE(side, at + 8);
  }
  return file;
}

async function webp(lossless: boolean): Promise<Buffer> {
  const file = await picture().webp({ lossless }).toBuffer();
  if (lossless)
    file.writeUInt32LE(0x0fff_ffff, 21); // the format's largest, 16384 squared
  else file.writeUInt32LE(0x3fff_3fff, 26);
  return file;
}

function gif(width: number, height: number): Buffer {
  const file = Buffer.alloc(35);
  file.write("GIF89a");
  file.writeUInt16LE(width, 6);
  file.writeUInt16LE(height, 8);
  file.set([0x80, 0, 0, 0, 0, 0, 255, 255, 255], 10);
  file.set([0x2c, 0, 0, 0, 0, width & 255, width >> 8, height & 255, height >> 8, 0, 2, 2, 0x44, 1, 0, 0x3b], 19);
  return file;
}

function bmp(width: number, height: number): Buffer {
  const file = Buffer.alloc(54);
  file.write("BM");
  for (const [at, value] of [
    [10, 54],
    [14, 40],
    [18, width],
    [22, height],
  ] as const)
    file.writeInt32LE(value, at);
  file.writeUInt16LE(24, 28);
  return file;
}

const animation = () =>
  sharp(Buffer.concat([Buffer.alloc(3 * 16 * 16, 40), Buffer.alloc(3 * 16 * 16, 220)]), {
    raw: { width: 16, height: 32, channels: 3, pageHeight: 16 },
  });
const svg = (inside: string, before = "") =>
  Buffer.from(`${before}<svg xmlns="http://www.w3.org/2000/svg" width="100" height="100">${inside}</svg>`);
const LAUGHS = Array.from(
  "bcdefghij",
  (c, i) => `<!ENTITY ${c} "${`&${String.fromCharCode(97 + i)};`.repeat(10)}">`,
).join("");

const BOMBS = Object.entries({
  "a.png": png(SIDE, SIDE),
  "a.jpg": await jpeg(SIDE, SIDE),
  "a.tif": await tiff(SIDE, SIDE),
  "a.gif": gif(SIDE, SIDE),
  "a.bmp": bmp(SIDE, SIDE),
});

describe("a header that claims more than there is, is refused:", () => {
  test.each(BOMBS)("50,000 x 50,000 pixels in %s", async (name, contents) => {
    const before = process.memoryUsage().arrayBuffers;
    expect(await said(name, contents)).toEqual(refused(TOO_MANY));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1e6);
  });

  test("the largest webp, in either kind", async () => {
    for (const lossless of [false, true])
      expect(await said("largest.webp", await webp(lossless))).toEqual(refused(lossless ? TOO_MANY : DAMAGED));
  });

  test("sides beyond all formats, or none", async () => {
    expect(await said("b.png", png(2 ** 31 - 1, 2 ** 31 - 1))).toEqual(refused(TOO_MANY));
    expect(await said("b.png", png(0, 0))).toEqual(refused(DAMAGED));
    expect(await said("b.jpg", await jpeg(0, 0))).toEqual(refused(DAMAGED));
    expect(await said("b.tif", await tiff(2 ** 32 - 1, 2 ** 32 - 1))).toEqual(refused(TOO_MANY));
    expect(await said("b.bmp", bmp(2 ** 31 - 1, -(2 ** 31)))).toEqual(refused(TOO_MANY));
    expect(await said("b.bmp", bmp(100, 100))).toEqual(refused("the image is cut off"));
  });
});

describe("what is no photograph is refused, whatever its name:", () => {
  test.each([
    ["zero bytes", Buffer.alloc(0), "the file is empty"],
    ["zeros", Buffer.alloc(1000), UNKNOWN],
    ["a drawing", svg(""), UNKNOWN],
    [
      "a drawing that names a file",
      svg("<text>&a;</text>", '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>'),
      UNKNOWN,
    ],
    [
      "a drawing of a billion letters",
      svg("<text>&j;</text>", `<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">${LAUGHS}]>`),
      UNKNOWN,
    ],
    ["a document", Buffer.from("%PDF-1.4\n1 0 obj\n"), UNKNOWN],
    ["a table", Buffer.from("1,2,3\n4,5,6\n"), UNKNOWN],
    ["a text bitmap that claims much", Buffer.from(`P6 ${SIDE} ${SIDE} 255\n`), UNKNOWN],
    ["a HEIC", Buffer.from("\0\0\0\x18ftypheic\0\0\0\0mif1heic"), "it is a HEIC file; convert it to JPEG or PNG"],
    [
      "a HEIC of the general brand",
      Buffer.from("\0\0\0\x18ftypmif1\0\0\0\0mif1heic"),
      "it is a HEIC file; convert it to JPEG or PNG",
    ],
    [
      "a JPEG XL",
      Buffer.from([0, 0, 0, 12, 0x4a, 0x58, 0x4c, 0x20, 13, 10, 0x87, 10]),
      "it is a JPEG XL file; convert it to JPEG or PNG",
    ],
    [
      "a JPEG 2000",
      Buffer.from([0, 0, 0, 12, 0x6a, 0x50, 0x20, 0x20, 13, 10, 0x87, 10]),
      "it is a JPEG 2000 file; convert it to JPEG or PNG",
    ],
    ["a Photoshop file", Buffer.from("8BPS\0\x01"), "it is a Photoshop file; convert it to JPEG or PNG"],
    ["a sound", Buffer.from("RIFF\x24\0\0\0WAVEfmt "), UNKNOWN],
  ])("%s", async (_what, contents, reason) => {
    const [image, mask, facts] = await said("x.png", contents);
    expect([image, mask]).toEqual(refused(reason).slice(1));
    expect(facts).toMatch(/^InputError: /);
    expect(facts).not.toContain("\n");
  });
});

describe("what is one is read:", () => {
  test("under another format's name", async () => {
    expect(await said("png.jpg", await picture().png().toBuffer())).toEqual(thrice("64x64"));
    expect(await said("jpeg.bmp", await picture().jpeg().toBuffer())).toEqual(thrice("64x64"));
  });
  test("avif, and jpg under its other name", async () => {
    expect(await said("a.avif", await picture().avif({ lossless: true }).toBuffer())).toEqual(thrice("64x64"));
    expect((await decodeImage(join(folder, "a.avif"))).data.subarray(0, 4)).toEqual(
      Uint8Array.of(0x45, 0x67, 0x89, 255),
    );
    expect(await said("a.jfif", await picture().jpeg().toBuffer())).toEqual(thrice("64x64"));
  });
  test("the first picture of an animation", async () => {
    expect(
      await said(
        "two.gif",
        await animation()
          .gif({ delay: [100, 100] })
          .toBuffer(),
      ),
    ).toEqual(thrice("16x16"));
    expect(
      await said(
        "two.webp",
        await animation()
          .webp({ delay: [100, 100] })
          .toBuffer(),
      ),
    ).toEqual(thrice("16x16"));
    expect((await decodeImage(join(folder, "two.webp"))).data[0]).toBeLessThan(60); // the first is dark
  });
  test.each(["png", "jpeg", "webp", "tiff", "gif"] as const)("one pixel of %s", async (format) => {
    const pixel = sharp({ create: { width: 1, height: 1, channels: 3, background: "red" } });
    expect(await said(`one.${format}`, await pixel.toFormat(format).toBuffer())).toEqual(thrice("1x1"));
  });
});

test.skipIf(process.platform === "win32")(
  "pipes and devices are refused by kind, and nothing waits for them",
  async () => {
    const path = join(folder, "pipe.png");
    execFileSync("mkfifo", [path]);
    await symlink("/dev/zero", join(folder, "endless.png"));
    for (const [name, kind] of [
      ["pipe.png", "a pipe"],
      ["endless.png", "a device"],
    ] as const) {
      const refusal = `cannot read ${join(folder, name)}: it is ${kind}, not a file`;
      await expect(decodeImage(join(folder, name))).rejects.toThrow(refusal);
      await expect(decodeMask(join(folder, name))).rejects.toThrow(refusal);
      await expect(pictureReader(folder).facts(name)).rejects.toThrow(`it is ${kind}, not a file`);
      for await (const outcome of decodeImages([name], (one) => join(folder, one)))
        expect(outcome).toMatchObject({ error: { message: refusal } });
    }
  },
);
