import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, promises, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { HANG_MS, until } from "../within.ts";

/** Where Chromium is; `undefined` if it is not installed. `CHROMIUM` names one that is elsewhere. */
export const CHROMIUM: string | undefined = [
  process.env["CHROMIUM"],
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
].find((path) => path !== undefined && existsSync(path));

const QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic"];

/** Where the browser of this process listens; `undefined` if none is installed. */
const RUNNING = CHROMIUM === undefined ? undefined : await startBrowser(CHROMIUM);

// Playwright does not wait for the deletion of a file that it may have written for a connection, and Deno counts what goes
// on at the end of a test as a leak of it.
const deletions = new Set<Promise<void>>();
const { unlink } = promises;
promises.unlink = (path) => {
  const deletion = unlink(path).finally(() => deletions.delete(deletion));
  deletions.add(deletion);
  return deletion;
};

/** Connects to the one browser of this process, which has no window and a profile of its own. */
export async function openBrowser(): Promise<Browser & AsyncDisposable> {
  const { endpoint, artifactsDir } = RUNNING!;
  const browser = await chromium.connectOverCDP(endpoint, { artifactsDir });
  const [own] = browser.contexts();
  return Object.assign(browser, {
    // In this order: what a context clears up after its connection was closed would count as a leak of the test.
    async [Symbol.asyncDispose]() {
      for (const context of browser.contexts()) if (context !== own) await context.close();
      await browser.close();
      await Promise.allSettled(deletions);
    },
  });
}

/** Starts a browser, which ends with this process: the shell that holds it waits for the end of its input. */
async function startBrowser(path: string): Promise<{ readonly endpoint: string; readonly artifactsDir: string }> {
  const profile = mkdtempSync(join(tmpdir(), "sluice-browser-"));
  const args = [
    // Without a sandbox of its own, which it cannot create where tests run as root.
    ...["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", ...QUIET],
    ...[`--user-data-dir=${profile}`, "--remote-debugging-port=0", "about:blank"],
  ];
  const script = '"$@" & cat; kill $!; wait; rm -rf "$0"';
  const shell = spawn("sh", ["-c", script, profile, path, ...args], { stdio: ["pipe", "ignore", "ignore"] });
  shell.unref();
  const port = join(profile, "DevToolsActivePort");
  await until(() => existsSync(port) && readFileSync(port, "utf8").includes("\n"), "the browser listens");
  return { endpoint: `http://127.0.0.1:${readFileSync(port, "utf8").split("\n")[0]}`, artifactsDir: profile };
}

/** A page that writes down whatever goes wrong in it. */
export interface WatchedPage {
  /** The page. */
  readonly page: Page;
  /** Errors, warnings, what its policy refused, and what it wanted from elsewhere. */
  readonly wrongs: readonly string[];
}

/** Opens a page that is watched. */
export async function openPage(context: BrowserContext, origin: string): Promise<WatchedPage> {
  const page = await context.newPage();
  page.setDefaultTimeout(HANG_MS);
  const wrongs: string[] = [];
  page.on("pageerror", (error) => wrongs.push(`${page.url()}: ${error.message}`));
  page.on("console", (message) => {
    // That a page is a refusal is said there, too.
    const isStatus = /^Failed to load resource: .* status of 40[34]/.test(message.text());
    if (["error", "warning"].includes(message.type()) && !isStatus) wrongs.push(`${page.url()}: ${message.text()}`);
  });
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.origin !== origin && url.protocol !== "data:") wrongs.push(`${page.url()} wants ${url}`);
  });
  await page.addInitScript(
    "addEventListener('securitypolicyviolation', (event) => console.error('refused: ' + event.violatedDirective))",
  );
  return { page, wrongs };
}
