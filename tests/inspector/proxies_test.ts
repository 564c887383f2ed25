/** The inspector behind nginx and Caddy with the configurations of docs/proxy.md, where these programs are installed. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { createInspector, type InspectorOptions } from "../../lib/inspector/mod.ts";
import { silent } from "../../lib/logger.ts";
import { type Child, spawnExecutable } from "../child.ts";
import { skipped, test } from "../harness.ts";
import { freePort } from "../ports.ts";
import { blockOf, findProgram, listening } from "../programs.ts";
import { tempDir } from "../temp_dir.ts";
import { within } from "../within.ts";
import { etl, ground, runnerOn } from "./ground.ts";
import { serve } from "./server.ts";

/** The port of the inspector in the documentation. */
const DOCUMENTED_PORT = "8484";

/** Starts a proxy in a folder, from one port to another, with the configuration of the documentation. */
type Start = (program: string, folder: string, from: number, to: number) => Child;

const PROXIES: Readonly<Record<string, Start>> = {
  nginx(program, folder, from, to) {
    const location = blockOf("proxy.md", "nginx", "proxy_pass").replace(DOCUMENTED_PORT, String(to));
    const user = process.getuid?.() === 0 ? "user root;" : "";
    const folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
      .map((name) => `${name}_temp_path ${folder}/${name};`).join(" ");
    const http = `access_log off; ${folders} server { listen 127.0.0.1:${from};\n${location}}`;
    const config = join(folder, "nginx.conf");
    writeFileSync(config, `${user} daemon off; pid ${folder}/pid; events {}\nhttp { ${http} }\n`);
    return spawnExecutable(["-p", folder, "-c", config, "-e", join(folder, "error.log")], { executable: program });
  },
  caddy(program, folder, from, to) {
    const directive = blockOf("proxy.md", "caddyfile", "reverse_proxy").replace(DOCUMENTED_PORT, String(to));
    const config = join(folder, "Caddyfile");
    writeFileSync(config, `{\n\tadmin off\n}\nhttp://127.0.0.1:${from} {\n\tbind 127.0.0.1\n${directive}}\n`);
    const env = { HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
    return spawnExecutable(["run", "--config", config, "--adapter", "caddyfile"], { executable: program, env });
  },
};

const CREDENTIALS = { authorization: `Basic ${btoa("ops:secret")}` };
const HTML = { ...CREDENTIALS, accept: "text/html" };

function authorize(request: Request): boolean | Response {
  if (request.headers.get("authorization") === CREDENTIALS.authorization) return true;
  return new Response("Who are you?", { status: 401, headers: { "www-authenticate": "Basic" } });
}

for (const [name, start] of Object.entries(PROXIES)) {
  const program = findProgram(name);
  if (program === undefined) {
    skipped(`behind ${name} the inspector serves pages and live updates to authorized clients`, `no ${name} here`);
    continue;
  }

  test(`behind ${name} the inspector serves pages and live updates to authorized clients`, async () => {
    using dir = tempDir();
    await using on = ground("sqlite");
    await using runner = await runnerOn(await on.open(), { logger: silent });
    const run = await runner.start(etl, { token: "t" });
    await run.outcome();
    await using site = await behind(start, program, dir.path, runner, { authorize });

    const refused = await fetch(`${site.url}/ops/runs`);
    assertEquals([refused.status, refused.headers.get("www-authenticate")], [401, "Basic"]);
    await refused.body?.cancel();

    const page = await fetch(`${site.url}/ops/runs/${run.id}`, { headers: HTML });
    const text = await page.text();
    assertEquals(page.status, 200, text);
    const paths = [...text.matchAll(/(?:href|src)="(\/[^"]*)"/g)].map(([, path]) => path!);
    assert(paths.length > 5);
    assertEquals(paths.filter((path) => !/^\/ops(\/|$|\?)/.test(path)), []);
    const front = await fetch(`${site.url}/ops`, { headers: HTML });
    assertEquals([front.status, (await front.text()).includes("</html>")], [200, true]);

    // A proxy that buffered it would send nothing before the stream ends, which it does not.
    const live = await fetch(`${site.url}/ops/api/live`, { headers: CREDENTIALS });
    assertEquals([live.status, live.headers.get("content-type")], [200, "text/event-stream"]);
    const reader = live.body!.getReader();
    const first = await within("the first line of a live stream", reader.read());
    assertStringIncludes(new TextDecoder().decode(first.value), "\n");
    await reader.cancel();

    const changed = await fetch(`${site.url}/ops/runs`, { method: "POST", headers: CREDENTIALS });
    assertEquals(changed.status, 405);
    await changed.body?.cancel();
  });

  test(`behind ${name} an inspector without authorize refuses what it announces`, async () => {
    using dir = tempDir();
    await using on = ground("sqlite");
    await using runner = await runnerOn(await on.open(), { logger: silent });
    await using site = await behind(start, program, dir.path, runner, {});
    const refused = await fetch(`${site.url}/ops/runs`, { headers: HTML });
    assertEquals(refused.status, 403);
    await refused.body?.cancel();
  });
}

async function behind(
  start: Start,
  program: string,
  folder: string,
  runner: Parameters<typeof createInspector>[0],
  options: InspectorOptions,
) {
  const { fetch: answer } = createInspector(runner, { basePath: "/ops", ...options });
  const server = await serve(answer);
  const port = await freePort();
  const proxy = start(program, folder, port, server.port);
  try {
    await listening(proxy, port);
  } catch (error) {
    await proxy[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
    throw error;
  }
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      proxy.kill("SIGTERM");
      await proxy.exited;
      await server[Symbol.asyncDispose]();
    },
  };
}
