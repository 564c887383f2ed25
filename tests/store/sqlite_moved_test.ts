/** An SQLite file that is moved or replaced while another process executes child runs and undos. */
import { assert, assertEquals } from "@std/assert";
import { renameSync, rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { createClient } from "../../mod.ts";
import { type Child, ended, spawn } from "../child.ts";
import { type Act, inProgress, type Order, orderWorkflows, readActs } from "../crash/order.ts";
import type { OrderProcess } from "../crash/order_process.ts";
import { sluice } from "../cli/terminal.ts";
import { test } from "../harness.ts";
import { passes } from "../passes.ts";
import { tempDir } from "../temp_dir.ts";
import { until, within } from "../within.ts";

const ITEMS = 3;
const INPUT: Order = { items: ITEMS, fails: true };
const MS = 100;

interface Site extends AsyncDisposable {
  readonly path: string;
  /** Starts a process with a runner on the file. */
  runner(): Promise<Child>;
  acts(): readonly Act[];
  /** Starts an order; returns its id. */
  start(): Promise<string>;
  /** Returns the faults of an order that has ended: it must have failed, and its completed tasks must be undone. */
  wrong(id: string): Promise<string[]>;
}

function openSite(): Site {
  const dir = tempDir();
  const path = join(dir.path, "app.db");
  const log = join(dir.path, "acts.log");
  const { order, part } = orderWorkflows(log, MS);
  const children: Child[] = [];
  const client = () => createClient(`sqlite://${path}`, { workflows: [order, part] });
  return {
    path,
    async runner() {
      const config: OrderProcess = { place: { url: `sqlite://${path}`, options: {} }, log, ms: MS, lease: "1s" };
      const child = spawn("./crash/order_process.ts", [JSON.stringify(config)]);
      children.push(child);
      await child.until("ready");
      return child;
    },
    acts: () => readActs(log),
    async start() {
      await using starter = await client();
      return (await starter.start("order", INPUT)).id;
    },
    async wrong(id) {
      await using reader = await client();
      const run = await reader.get(id);
      const outcome = await within("the end of the order", run.outcome());
      const tasks = await run.tasks();
      const parts = await run.children();
      const wrong: string[] = [];
      if (outcome.status !== "failed" || outcome.error.message !== "closed") wrong.push(JSON.stringify(outcome));
      const states = Object.fromEntries(tasks.map(({ id, state }) => [id, state]));
      const undone = { pack: "compensated", first: "compensated", parts: "compensated" };
      for (const [task, state] of Object.entries({ charge: "completed", ...undone, close: "failed" })) {
        if (states[task] !== state) wrong.push(`task ${task} is ${states[task]}`);
      }
      if (parts.length !== 1 + ITEMS) wrong.push(`${parts.length} child runs`);
      for (const { state } of parts) if (state !== "cancelled") wrong.push(`a child run is ${state}`);
      return [...wrong, ...wrongActs(readActs(log), [id, ...parts.map((child) => child.id)])];
    },
    async [Symbol.asyncDispose]() {
      for (const child of children) await child[Symbol.asyncDispose]();
      dir[Symbol.dispose]();
    },
  };
}

/** Returns descriptions of bodies and undos of these runs that have not ended. */
function wrongActs(acts: readonly Act[], runs: readonly string[]): string[] {
  const wanted = (id: string, at: number): string[] =>
    at === 0
      ? ["charge", "close", ...Array.from({ length: ITEMS }, (_, item) => [`pack/${item}`, `pack/${item}/undo`]).flat()]
        .map((unit) => `${id} ${unit}`)
      : ["make", "check", "make/undo"].map((unit) => `${id} ${unit}`);
  const ended = new Set(acts.flatMap(({ what, run, unit }) => what === "ended" ? [`${run} ${unit}`] : []));
  const missing = runs.flatMap(wanted).filter((act) => !ended.has(act));
  return missing.map((act) => `never ended: ${act}`);
}

/** Returns the bodies and undos that began again although their result was recorded before the file was lost. */
function repeated(acts: readonly Act[]): string[] {
  const seen = new Set<string>();
  const may = new Set<string>();
  const wrong: string[] = [];
  acts.forEach(({ what, run, unit }, at) => {
    const name = `${run} ${unit}`;
    if (what === "lost") {
      for (const open of inProgress(acts.slice(0, at))) may.add(open);
      // The results of the last ones may not have been written yet.
      for (const late of acts.slice(Math.max(0, at - ITEMS), at)) may.add(`${late.run} ${late.unit}`);
    }
    if (what !== "began") return;
    if (seen.has(name) && !may.delete(name)) wrong.push(name);
    seen.add(name);
  });
  return wrong;
}

const began = (acts: readonly Act[], unit: string): number =>
  acts.filter((act) => act.what === "began" && act.unit === unit).length;

/** The moments at which the file is moved: when this number of bodies or undos has begun. */
const MOMENTS: readonly (readonly [unit: string, count: number])[] = [
  ["make", 1],
  ["make", 3],
  ["make/undo", 2],
  ["pack/0/undo", 1],
];

test("sqlite: moving the file while child runs and undos execute stops them, and they continue when it is moved back", async () => {
  await using site = openSite();
  const child = await site.runner();
  const id = await site.start();
  for (const [unit, count] of MOMENTS) {
    await until(() => began(site.acts(), unit) >= count, `${count} × ${unit}`);
    renameSync(site.path, `${site.path}.old`);
    await within("to notice", child.until("lost"));
    // Bodies in progress end, because they ignore their signal.
    await until(() => inProgress(site.acts()).size === 0);
    const { length } = site.acts();
    await passes(500);
    assertEquals(site.acts().slice(length), []);
    renameSync(`${site.path}.old`, site.path);
    await within("to go on", child.until("back"));
  }
  assertEquals([await site.wrong(id), repeated(site.acts()), began(site.acts(), "charge")], [[], [], 1]);
  child.kill("SIGTERM");
  assertEquals((await ended(child)).code, 0);
});

test("sqlite: the process of a file that was replaced by a backup while undos executed does not affect the backup", async () => {
  await using site = openSite();
  const stale = await site.runner();
  const id = await site.start();
  await until(() => began(site.acts(), "make") >= 2);
  const copy = `${site.path}.copy`;
  const { code, err } = await sluice(["backup", `sqlite://${site.path}`, copy]);
  assertEquals([code, err], [0, ""]);
  await until(() => began(site.acts(), "make/undo") >= 1);
  // Users should stop the process before that.
  for (const suffix of ["-wal", "-shm"]) rmSync(`${site.path}${suffix}`, { force: true });
  renameSync(copy, site.path);
  await within("to notice", stale.until("lost"));
  await until(() => inProgress(site.acts()).size === 0);
  const { length } = site.acts();
  const heir = await site.runner();
  await until(() => site.acts().length > length);
  stale.kill("SIGTERM");
  const exit = await ended(stale);
  assertEquals([exit.code, exit.signal], [0, null], exit.stderr);
  assertEquals(await site.wrong(id), []);
  assert(site.acts().slice(length).every(({ pid }) => pid === heir.pid), "the old process went on");
  // The old process must not have deleted the log of the new file when it closed the old one.
  assertEquals(await site.wrong(await site.start()), []);
  heir.kill("SIGTERM");
  const { code: heirCode, stdout, stderr } = await ended(heir);
  assertEquals([heirCode, stdout.includes("lost")], [0, false], stderr);
  const database = new DatabaseSync(site.path);
  assertEquals({ ...database.prepare("pragma integrity_check").get() }, { integrity_check: "ok" });
  database.close();
});
