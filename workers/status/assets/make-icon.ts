// Makes `default-icon.png`: 64 × 64 pixels, a door with a step before it. Run by hand, its output is
// kept: `node workers/status/assets/make-icon.ts`.

import { writeFileSync } from "node:fs";
import { crc32, deflateSync } from "node:zlib";

// One character is four by four pixels.
const DRAWING = [
  "................",
  "..rrrrrrrrrrrr..",
  ".rrrrrrrrrrrrrr.",
  "...w........w...",
  "...wwwwwwwwww...",
  "...wppwppwppw...",
  "...wppwppwppw...",
  "...wwwwwwwwww...",
  "...wppwppwppw...",
  "...wppwppwppw...",
  "...wwwwwwwwww...",
  "...wppwppwppw...",
  "...wppwppwppw...",
  "...wwwwwwwwww...",
  "..ssssssssssss..",
  ".ssssssssssssss.",
];
// Nothing, the roof, wood, paper, stone.
const NAMES = ".rwps";
const COLOURS = [[0, 0, 0], [0xb2, 0x3a, 0x48], [0x5b, 0x3a, 0x29], [0xf7, 0xf1, 0xe3], [0x8a, 0x8d, 0x91]];

function chunk(type: string, data: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(named));
  return Buffer.concat([length, named, sum]);
}

const header = Buffer.alloc(13);
header.writeUInt32BE(64, 0);
header.writeUInt32BE(64, 4);
header[8] = 8; // bits a pixel
header[9] = 3; // by palette
const rows = DRAWING.flatMap((line) => {
  const pixels = [...line].flatMap((name) => Array(4).fill(NAMES.indexOf(name)));
  return Array.from({ length: 4 }, () => Buffer.from([0, ...pixels]));
});
const png = Buffer.concat([
  Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
  chunk("IHDR", header),
  chunk("PLTE", Buffer.from(COLOURS.flat())),
  chunk("tRNS", Buffer.from([0])),
  chunk("IDAT", deflateSync(Buffer.concat(rows), { level: 9 })),
  chunk("IEND", Buffer.alloc(0)),
]);
writeFileSync(new URL("default-icon.png", import.meta.url), png);
