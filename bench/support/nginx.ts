// nginx as Debian packages it, in one process: as the peer of a comparison, and as an origin that is fast enough to
// hide behind what is measured. `cargo xtask bench` says in NGINX where it lies.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const NGINX = process.env["NGINX"];

export class Nginx {
  readonly url: URL;
  readonly #child: ChildProcess;
  readonly #folder: string;

  private constructor(url: URL, child: ChildProcess, folder: string) {
    this.url = url;
    this.#child = child;
    this.#folder = folder;
  }

  /** Starts it with these directives inside `http`; `$PORT` in them is where it listens. */
  static async start(directives: string): Promise<Nginx> {
    if (NGINX === undefined) throw new Error("there is no nginx");
    const folder = mkdtempSync(join(tmpdir(), "genkan-nginx-"));
    const port = await freePort();
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path ${folder}/${kind};`);
    writeFileSync(
      join(folder, "nginx.conf"),
      `daemon off; master_process off; pid ${folder}/pid; error_log ${folder}/error.log;
       events { worker_connections 1024; }
       http { access_log off; keepalive_requests 1000000; ${temporary.join(" ")} ${directives.replaceAll("$PORT", String(port))} }`,
    );
    const child = spawn(NGINX, ["-p", folder, "-c", join(folder, "nginx.conf"), "-e", join(folder, "error.log")], { stdio: "ignore" });
    const url = new URL(`http://127.0.0.1:${port}`);
    const nginx = new Nginx(url, child, folder);
    for (let tries = 0; ; tries += 1) {
      try {
        await fetch(url);
        return nginx;
      } catch (error) {
        if (child.exitCode !== null || tries > 100) {
          const log = readFileSync(join(folder, "error.log"), "utf8");
          await nginx.stop();
          throw new Error(`nginx does not answer: ${log}`, { cause: error });
        }
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  /** Processor time it has used, in milliseconds. */
  cpuMs(): number {
    const fields = readFileSync(`/proc/${this.#child.pid}/stat`, "utf8").split(") ")[1]!.split(" ");
    return (Number(fields[11]) + Number(fields[12])) * 10;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null) {
      this.#child.kill("SIGKILL");
      await once(this.#child, "exit");
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
