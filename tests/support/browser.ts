// A real browser without a screen. Chromium comes as one compressed file of an npm package, with the
// libraries that it needs, and is unpacked once beside the packages; `CHROME_PATH` names another one
// (the package's is for Linux on x64).

import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { inflate } from "@sparticuz/chromium";
import { type Browser, type BrowserContextOptions, type Page, chromium } from "playwright-core";

const MODULES = fileURLToPath(new URL("../../node_modules/", import.meta.url));
const PACKED = join(MODULES, "@sparticuz/chromium/bin");
const UNPACKED = join(MODULES, ".cache/chromium");

/** Without a font no text is laid out. These are Latin; other letters are boxes. */
const FONTS = `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>${UNPACKED}/fonts</dir><cachedir>${UNPACKED}/fonts-cache</cachedir></fontconfig>
`;

export interface Visitor {
  page: Page;
  /** What the page or its scripts complained of: failed requests, errors in the console, exceptions. */
  complaints: string[];
}

export interface Browsing {
  /** A new profile with one page: own cache, own cookies. */
  visitor(options?: BrowserContextOptions): Promise<Visitor>;
  close(): Promise<void>;
}

/** Starts a browser for which these hosts, with port 80, are these ports of this machine; there are no others. */
export async function browse(hosts: Record<string, number>): Promise<Browsing> {
  const rules = Object.entries(hosts).map(([host, port]) => `MAP ${host}:80 127.0.0.1:${port}`);
  const given = process.env["CHROME_PATH"];
  const folder = given === undefined ? await unpacked() : "";
  const browser: Browser = await chromium.launch({
    executablePath: given ?? join(folder, "chromium"),
    args: [`--host-resolver-rules=${[...rules, "MAP * ~NOTFOUND", "EXCLUDE 127.0.0.1"].join(",")}`],
    ...(given === undefined && {
      env: {
        ...process.env,
        LD_LIBRARY_PATH: join(folder, "al2023/lib"),
        FONTCONFIG_FILE: join(folder, "fonts.conf"),
      },
    }),
  });
  return {
    visitor: async (options) => {
      const page = await (await browser.newContext(options)).newPage();
      const complaints: string[] = [];
      page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
      page.on("pageerror", (error) => complaints.push(String(error)));
      page.on("requestfailed", (failed) => complaints.push(`${failed.url()}: ${failed.failure()?.errorText}`));
      return { page, complaints };
    },
    close: () => browser.close(),
  };
}

/** The folder of the unpacked browser. */
async function unpacked(): Promise<string> {
  if (existsSync(UNPACKED)) return UNPACKED;
  if (process.platform !== "linux" || process.arch !== "x64") {
    throw new Error("the tests bring a browser for Linux on x64: name yours with CHROME_PATH=<file>");
  }
  mkdirSync(join(MODULES, ".cache"), { recursive: true });
  const folder = mkdtempSync(`${UNPACKED}-`);
  // `inflate` puts everything where temporary files go.
  const before = process.env["TMPDIR"];
  process.env["TMPDIR"] = folder;
  try {
    writeFileSync(join(folder, "fonts.conf"), FONTS);
    await Promise.all(["chromium.br", "al2023.tar.br", "fonts.tar.br"].map((file) => inflate(join(PACKED, file))));
  } finally {
    if (before === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = before;
  }
  try {
    renameSync(folder, UNPACKED);
  } catch (error) {
    if (!existsSync(UNPACKED)) throw error;
    rmSync(folder, { recursive: true }); // another test was quicker
  }
  return UNPACKED;
}
