import axe from "axe-core";
import { assert, assertEquals } from "@std/assert";
import { Hono } from "hono";
import type { Browser, BrowserContextOptions } from "playwright-core";
import { createInspector } from "../../lib/inspector/mod.ts";
import { failuresPage } from "../../lib/inspector/pages/failures_page.ts";
import { overviewPage } from "../../lib/inspector/pages/overview_page.ts";
import { runPage } from "../../lib/inspector/pages/run_page.ts";
import { relative } from "../../lib/inspector/pages/times.ts";
import { workflowPage } from "../../lib/inspector/pages/workflow_page.ts";
import { skipped, test } from "../harness.ts";
import { CHROMIUM, openBrowser, openPage, type WatchedPage } from "./browser.ts";
import { pagesOf, viewOf } from "./page_fixtures.ts";
import { HOSTILE, openScene, type Scene } from "./scene.ts";
import { serve } from "./server.ts";

const SCHEMES = ["light", "dark"] as const;
const WIDTHS = [1_400, 360] as const;

interface Site extends WatchedPage {
  readonly scene: Scene;
  readonly origin: string;
  readonly browser: Browser;
  /** Opens a page of the inspector. */
  go(path: string): Promise<void>;
  /** Opens another page, in a browser that is set up in another way. */
  also(options: BrowserContextOptions): Promise<WatchedPage>;
}

/** Registers a test with a browser, a scene and an inspector of it; it is skipped where there is no browser. */
function browserTest(name: string, run: (site: Site) => Promise<void>): void {
  // The pages are the same, and requests_test.ts asks the server of each runtime for them.
  if (!("Deno" in globalThis)) return skipped(name, "the browser is opened under Deno");
  if (CHROMIUM === undefined) {
    return skipped(name, "no Chromium is installed (apt-get install chromium, or CHROMIUM=path)");
  }
  test(name, async () => {
    await using scene = await openScene();
    await using server = await serve(createInspector(scene.runner).fetch);
    const { url: origin } = server;
    await using browser = await openBrowser();
    const also = async (options: BrowserContextOptions): Promise<WatchedPage> =>
      await openPage(await browser.newContext(options), origin);
    const { page, wrongs } = await also({ viewport: { width: 1_400, height: 900 } });
    const go = async (path: string): Promise<void> => void await page.goto(`${origin}${path}`);
    await run({ scene, origin, browser, page, wrongs, go, also });
    assertEquals(wrongs, []);
  });
}

function pathsOf({ runs }: Scene): readonly string[] {
  return [
    "/overview",
    "/failures",
    "/failures?since=2100-01-01",
    "/runs",
    "/runs?state=failed&state=cancelled",
    "/runs?q=nothing-is-called-that",
    ...Object.values(runs).map((id) => `/runs/${id}`),
    `/runs/${runs.map}/tasks/files/items?limit=30`,
    `/runs/${runs.map}/tasks/files/items?state=failed`,
    `/runs/${runs.children}/tasks/parcels/items`,
    "/workflows",
    "/workflows/prices",
    "/workflows/thumbnails",
    `/workflows/${encodeURIComponent(HOSTILE)}`,
    "/schedules",
    "/limits",
    "/runners",
    "/there-is-no-such-page",
  ];
}

browserTest("every page opens, narrow and wide, light and dark, and needs nothing from elsewhere", async (site) => {
  const { scene, page, go } = site;
  for (const path of pathsOf(scene)) {
    await go(path);
    for (const colorScheme of SCHEMES) {
      for (const width of WIDTHS) {
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize({ width, height: 900 });
        assertEquals(await page.locator("h1:visible").count(), 1, path);
        const overflow = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
        assert(Number(overflow) <= 0, `${path} is ${overflow} too wide for ${width}`);
      }
    }
    const colours = await page.evaluate("getComputedStyle(document.body).backgroundColor");
    assertEquals(colours, "rgb(19, 21, 23)", "the last scheme was the dark one");
  }
});

browserTest("what is wider or longer than its place has an edge that shows where more is", async ({ page, go }) => {
  await page.setViewportSize({ width: 400, height: 900 });
  for (const path of ["/workflows", "/runners"]) {
    await go(path);
    const [tables, cues] = await page.evaluate<readonly [number, number]>(`(() => {
      const wide = [...document.querySelectorAll(".scroll")].filter((one) => one.scrollWidth > one.clientWidth);
      const isCue = ({ backgroundAttachment, backgroundImage }) =>
        backgroundAttachment.includes("local") && backgroundImage.includes("linear-gradient");
      return [wide.length, wide.filter((one) => isCue(getComputedStyle(one))).length];
    })()`);
    assert(tables > 0, path);
    assertEquals(cues, tables, path);
  }
});

browserTest("a link to a task that is folded away unfolds it", async ({ scene, page, go }) => {
  await go(`/runs/${scene.runs.fan}`);
  assertEquals(await page.isVisible("#row-task-contact-sheet"), false);
  await page.click(".graph a:has-text('contact-sheet')");
  assert(await page.isVisible("#task-contact-sheet"));
});

browserTest(
  "a cell of the grid leads to the item, which unfolds, and to the items in a state",
  async ({ scene, page, go }) => {
    await go(`/runs/${scene.runs.map}`);
    await page.click("#row-task-files > summary");
    await page.click("#row-task-files .items a >> nth=17");
    await page.waitForURL(/from=17#item-17$/);
    assert(await page.isVisible("#item-17 .error:has-text('photo-17.png is no image')"));
    assertEquals(await page.isVisible("#item-18 .item-body"), false);
    await page.click("#item-18 > summary");
    assert(await page.isVisible("#item-18 .item-body:has-text('photo-18.webp')"));
    await page.click(".tally a:has-text('4 failed')");
    assertEquals(await page.locator("#items-view > .item").allTextContents().then((all) => all.length), 4);
    await go(`/runs/${scene.runs.children}/tasks/parcels/items`);
    await page.click("#item-1 > summary");
    await page.click("#item-1 .run-link a");
    await page.waitForSelector("h1:has-text('delivery')");
  },
);

browserTest("no page has anything that axe objects to", async ({ scene, origin, also }) => {
  const { page } = await also({ bypassCSP: true, viewport: { width: 1_400, height: 900 } });
  const found: string[] = [];
  for (const path of pathsOf(scene)) {
    // The same as others, a hundred times.
    if (path.endsWith(scene.runs.fan) || path.endsWith(scene.runs.large)) continue;
    await page.goto(`${origin}${path}`);
    // Folded content is checked, too.
    await page.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true");
    await page.evaluate(axe.source);
    for (const colorScheme of SCHEMES) {
      await page.emulateMedia({ colorScheme });
      // Only colours differ between the schemes.
      const rules = colorScheme === "light" ? {} : { runOnly: ["color-contrast"] };
      const options = JSON.stringify({ resultTypes: ["violations"], ...rules });
      const { violations } = await page.evaluate<axe.AxeResults>(`axe.run(document, ${options})`);
      found.push(...violations.map(({ id, nodes }) => `${colorScheme} ${path}: ${id} at ${nodes[0]?.html}`));
    }
  }
  assertEquals(found, []);
});

browserTest(
  "axe objects to nothing where something needs attention, and where users have links of their own",
  async (site) => {
    const { page } = await site.also({ bypassCSP: true, viewport: { width: 1_400, height: 900 } });
    const { overview, failures, run, workflow: flow } = pagesOf("text");
    const view = viewOf();
    const found: string[] = [];
    for (
      const { text } of [
        overviewPage(overview, view),
        failuresPage(failures, view),
        runPage(run, view),
        workflowPage(flow, view),
      ]
    ) {
      // Without the script, which would ask for events of the page.
      await page.setContent(text.replace(/<script>.*<\/script>/s, ""));
      await page.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true");
      await page.evaluate(axe.source);
      const { violations } = await page.evaluate<axe.AxeResults>(`axe.run(document, { resultTypes: ["violations"] })`);
      const title = await page.title();
      found.push(...violations.map(({ id, nodes }) => `${title}: ${id} at ${nodes[0]?.html}`));
    }
    assertEquals(found, []);
  },
);

browserTest("whom authorize refuses sees a page that says so, and nothing else", async ({ scene, browser }) => {
  await using server = await serve(createInspector(scene.runner, { authorize: () => false }).fetch);
  const { page, wrongs } = await openPage(await browser.newContext(), server.url);
  await page.goto(`${server.url}/runs/${scene.runs.done}`);
  assertEquals(await page.textContent("h1"), "Forbidden");
  assert(!(await page.content()).includes("prices"));
  assertEquals(wrongs, []);
});

browserTest("mounted in an app of Hono, links and following stay below its path", async ({ scene, browser }) => {
  const app = new Hono();
  app.mount("/ops", createInspector(scene.runner, { basePath: "/ops", title: "Ops" }).fetch, { replaceRequest: false });
  await using server = await serve((request, connection) => app.fetch(request, connection as Record<string, unknown>));
  const { page, wrongs } = await openPage(await browser.newContext(), server.url);
  await page.goto(`${server.url}/ops`);
  assertEquals(await page.title(), "Overview · Ops");
  await page.click("#state-running a");
  await page.click(`#run-${CSS(scene.runs.held)} a`);
  assertEquals(await page.title(), "upload running · Ops");
  await page.waitForSelector(".live.on");
  scene.release();
  await page.waitForSelector("h1 .badge.s-completed");
  await page.click(".crumbs a:last-child");
  await page.waitForURL(/\/ops\/workflows\/upload/);
  assertEquals(wrongs, []);
});

browserTest("links lead from the runs to a run, its tasks, its workflow and back", async ({ scene, page, go }) => {
  await go("/runs");
  await page.click(`#run-${CSS(scene.runs.failed)} a`);
  await page.waitForURL(`**/runs/${scene.runs.failed}`);
  assertEquals(await page.textContent("h1"), "settlement failed");
  await page.click(".graph a:has-text('charge')");
  assert(await page.isVisible("#task-charge"));
  assert((await page.textContent("#task-charge"))!.includes("upstream timed out after 30 s"));
  await page.click(".crumbs a:last-child");
  await page.waitForURL(/\/workflows\/settlement/);
  await page.click("text=all runs");
  await page.waitForURL(/\/runs\?workflow=settlement/);
  assertEquals(await page.locator("#runs-rows tr").count(), 1);
});

browserTest("the filter finds runs by state, workflow, tag and key", async ({ page, go }) => {
  await go("/runs");
  await page.click("#state-failed a");
  assertEquals(new Set(await page.locator("#runs-rows .badge").allTextContents()), new Set(["failed"]));
  await page.selectOption("select[name=workflow]", "thumbnails");
  await page.click("button");
  assertEquals(await page.locator("#runs-rows tr").count(), 1);
  await page.click("text=Show all");
  await page.fill("input[name=tag]", "nightly");
  await page.click("button");
  assertEquals(await page.locator("#runs-rows .badge").allTextContents(), ["running"]);
  await go("/runs?q=2026-11-24");
  assertEquals(await page.locator("#runs-rows .badge").allTextContents(), ["pending"]);
});

browserTest("a run that is watched finishes without a reload, and what is unfolded and focused stays", async (site) => {
  const { scene, page, go } = site;
  await go(`/runs/${scene.runs.held}`);
  assertEquals(await page.textContent("h1 .badge"), "running");
  await page.waitForSelector(".live.on");
  await page.evaluate("globalThis.isSame = true");
  await page.click("#row-task-send summary");
  await page.focus("#row-task-compress summary");
  await page.evaluate("scrollTo(0, 120)");
  scene.release();

  await page.waitForSelector("h1 .badge.s-completed");
  assertEquals(await page.evaluate("[isSame, scrollY]"), [true, 120]);
  assertEquals(await page.evaluate("document.activeElement.closest('details').id"), "row-task-compress");
  assert(await page.evaluate("document.getElementById('row-task-send').open"));
  assert((await page.textContent("#task-send"))!.includes("etag-1"));
  await page.locator("#live", { hasText: "ended" }).waitFor();
  await page.locator("#announcer", { hasText: "upload is completed: 3 of 3 tasks ended" }).waitFor({
    state: "attached",
  });
});

browserTest("a run that starts shows up in the list, and the one that is focused stays where it is", async (site) => {
  const { scene, page, go } = site;
  await go("/runs");
  await page.waitForSelector(".live.on");
  await page.focus(`#run-${CSS(scene.runs.failed)} a`);
  await page.fill("input[name=q]", "half of what somebody is typ");
  await page.focus(`#run-${CSS(scene.runs.failed)} a`);
  const id = await scene.another();
  await page.waitForSelector(`#run-${CSS(id)}`);
  assertEquals(await page.getAttribute("#runs-rows tr:first-child", "id"), `run-${id}`);
  assertEquals(await page.evaluate("document.activeElement.closest('tr').id"), `run-${scene.runs.failed}`);
  assertEquals(await page.inputValue("input[name=q]"), "half of what somebody is typ");
});

browserTest("a page that nobody looks at is not fetched, and catches up when somebody does", async (site) => {
  const { scene, page, go, also, origin } = site;
  const look = (isHidden: boolean): Promise<unknown> =>
    page.evaluate(`Object.defineProperty(document, "hidden", { value: ${isHidden}, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"))`);
  const other = await also({});
  await other.page.goto(`${origin}/runs`);
  await other.page.waitForSelector(".live.on");
  await go("/runs");
  await page.waitForSelector(".live.on");
  await look(true);
  const asked: string[] = [];
  page.on("request", (request) => asked.push(new URL(request.url()).pathname));
  const id = await scene.another();
  // By then the live pages have been notified.
  await other.page.waitForSelector(`#run-${CSS(id)}`);
  assertEquals(asked, []);
  await look(false);
  await page.waitForSelector(`#run-${CSS(id)}`);
  await page.waitForSelector(".live.on");
});

browserTest("a page that cannot follow says so, and is a page like any other", async ({ scene, origin, also }) => {
  const { page } = await also({});
  await page.route(/\/api\/live/, (route) => route.fulfill({ status: 503 }));
  await page.goto(`${origin}/runs/${scene.runs.held}`);
  await page.locator("#live", { hasText: "not live" }).waitFor();
  assertEquals(await page.textContent("h1 .badge"), "running");
  // A line that is cut is taken up again.
  let cuts = 0;
  await page.unroute(/\/api\/live/);
  await page.route(/\/api\/live/, (route) => cuts++ < 1 ? route.abort("connectionreset") : route.continue());
  await page.reload();
  await page.locator("#live", { hasText: /^live$/ }).waitFor();
  assertEquals(cuts, 2);
});

browserTest("times are told anew while a page stays open, in the words of the server", async ({ page, go }) => {
  await page.clock.install();
  await go("/runs");
  const told = page.locator("#runs-rows time").last();
  const at = Number(await page.getAttribute("#main", "data-at"));
  for (const minutes of [3, 200, 5_000]) {
    await page.clock.fastForward(minutes * 60_000);
    const passed = at - Date.parse((await told.getAttribute("datetime"))!);
    const words = relative(-passed - minutes * 60_000);
    await told.filter({ hasText: words }).waitFor();
    await page.reload();
  }
});

browserTest("a time of day is that of the reader's zone, with UTC in the tooltip", async ({ scene, origin, also }) => {
  const { page, wrongs } = await also({ timezoneId: "Asia/Kolkata" });
  await page.goto(`${origin}/runs/${scene.runs.held}`);
  await page.waitForSelector(".live.on");
  scene.release();
  await page.waitForSelector("h1 .badge.s-completed");
  // The first was there when the page was opened, the last one came while it followed the run.
  const times = page.locator("#facts time[data-local]");
  for (const told of [times.first(), times.last()]) {
    const at = Date.parse((await told.getAttribute("datetime"))!);
    const shown = (ms: number): string =>
      new Date(ms).toISOString().slice(0, 23).replace("T", " ").replace(/\.000$/, "");
    assertEquals(await told.textContent(), shown(at + 5.5 * 3_600_000));
    assertEquals(await told.getAttribute("title"), `${shown(at)} UTC`);
  }
  assertEquals(await times.count(), 2);
  assertEquals(wrongs, []);
});

browserTest("what users have written runs nothing, wherever it stands", async ({ scene, page, go }) => {
  const id = (await scene.runner.list({ workflow: HOSTILE })).runs[0]!.id;
  for (const path of ["/runs", `/runs/${id}`, "/workflows", `/workflows/${encodeURIComponent(HOSTILE)}`]) {
    await go(path);
    assertEquals(await page.evaluate("[typeof taken, document.images.length, document.scripts.length]"), [
      "undefined",
      0,
      1,
    ]);
  }
  // Its anchor works like any other's.
  await go(`/runs/${id}`);
  await page.locator(".graph a").first().click();
  assertEquals(await page.locator("details[open].task").count(), 1);
});

browserTest(
  "without scripts the pages tell the same, and links unfold what they point to",
  async ({ scene, origin, also }) => {
    const { page, wrongs } = await also({ javaScriptEnabled: false });
    await page.goto(`${origin}/runs/${scene.runs.failed}`);
    assertEquals(await page.isVisible("#live"), false);
    await page.click(".graph a:has-text('charge')");
    assert(await page.isVisible("#task-charge"));
    await page.goto(`${origin}/runs`);
    await page.fill("input[name=q]", scene.runs.done);
    await page.click("button");
    assertEquals(await page.locator("#runs-rows tr").count(), 1);
    assertEquals(wrongs, []);
  },
);

browserTest("the keyboard reaches the content, the tasks and what can be scrolled", async ({ scene, page, go }) => {
  await go(`/runs/${scene.runs.large}`);
  await page.keyboard.press("Tab");
  assertEquals(await page.evaluate("document.activeElement.textContent"), "Skip to the content");
  await page.keyboard.press("Enter");
  const seen: string[] = [];
  for (let i = 0; i < 80; i++) {
    await page.keyboard.press("Tab");
    seen.push(String(await page.evaluate("document.activeElement.id || document.activeElement.localName")));
  }
  assertEquals(seen.filter((name) => name === "body"), []);
  assert(seen.includes("graph-view") && seen.includes("a") && seen.includes("summary"), `${seen}`);
  await page.focus("summary");
  await page.keyboard.press("Enter");
  assertEquals(await page.locator("details.task[open]").count(), 1);
});

/** An id as a part of a selector. */
function CSS(id: string): string {
  return id.replace(/[^\w-]/g, "\\$&");
}
