import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { existsSync } from "node:fs";
import process from "node:process";
import { HANG_MS } from "../within.ts";

/** Where Chromium is; `undefined` if it is not installed. `CHROMIUM` names one that is elsewhere. */
export const CHROMIUM: string | undefined = [
  process.env["CHROMIUM"],
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
].find((path) => path !== undefined && existsSync(path));

const QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic"];

/** Starts a browser without a window, with a profile of its own that is gone with it. */
export async function openBrowser(): Promise<Browser & AsyncDisposable> {
  return await chromium.launch({
    executablePath: CHROMIUM!,
    // Without a sandbox of its own, which it cannot make where tests run as root.
    args: ["--no-sandbox", "--disable-gpu", "--no-first-run", ...QUIET],
  });
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
