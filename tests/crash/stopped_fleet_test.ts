/**
 * Three processes work on one store, and one of them at a time is suspended for longer than its lease, while ticks of a
 * schedule, maps, child runs and tasks that run at most once are in progress.
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { createClient } from "../../mod.ts";
import { type Child, ended, spawn } from "../child.ts";
import { emptyStore } from "../empty_store.ts";
import { randomTest } from "../harness.ts";
import { passes } from "../passes.ts";
import { isWriteLocked, type Place } from "../place.ts";
import { tempDir } from "../temp_dir.ts";
import { until, within } from "../within.ts";
import { orderWorkflows, readActs } from "./order.ts";
import type { OrderProcess } from "./order_process.ts";

const EVERY_MS = 400;
const STOPS = 3;

randomTest(
  "processes that are suspended for longer than their lease lose no tick, item or child run, and repeat no charge",
  async (random) => {
    using dir = tempDir();
    await using store = emptyStore();
    const place = { url: store.url, options: store.options };
    const log = join(dir.path, "acts.log");
    const { order, part } = orderWorkflows(log, 0);
    await using client = await createClient(place.url, { ...place.options, workflows: [order, part] });
    const config: OrderProcess = { place, log, ms: 60, lease: "1s", everyMs: EVERY_MS };
    const children = [1, 2, 3].map(() => spawn("./crash/order_process.ts", [JSON.stringify(config)]));
    await using _ = { [Symbol.asyncDispose]: async () => void await Promise.all(children.map(end)) };
    for (const child of children) await child.until("ready");
    for (let stops = 0; stops < STOPS; stops++) {
      await until(() => readActs(log).length > 20 * (stops + 1));
      await passes(random.next() * 200);
      const stopped = children[random.below(children.length)]!;
      await freeze(stopped, place);
      const isKnown = `select id from runners where pid = ${stopped.pid} and not dead`;
      await until(async () => (await store.query(isKnown)).length === 0, "the take-over");
      stopped.kill("SIGCONT");
      await within("to learn that its lease expired", stopped.until("re-registered"));
    }
    await client.schedules.pause("orders");
    let resolved = 0;
    await until(async () => {
      for (const { runId } of await client.blocked()) {
        await client.get(runId).resolve("charge" as never, { output: 0 as never });
        resolved++;
      }
      return (await store.query("select 1 from runs where ended_at is null")).length === 0;
    }, "the end of all runs");

    const acts = readActs(log);
    const hasEnded = new Set(acts.flatMap(({ what, run, unit }) => what === "ended" ? [`${run} ${unit}`] : []));
    const { runs } = await client.list({ workflow: "order", limit: 1_000 });
    const wrong: string[] = [];
    for (const { id, state, tick } of runs) {
      const fails = (tick! / EVERY_MS) % 3 === 0;
      if (state !== (fails ? "failed" : "completed")) wrong.push(`order ${id} is ${state}`);
      const parts = await client.get(id).children();
      const end = fails ? "cancelled" : "completed";
      if (parts.length !== 4 || parts.some(({ state }) => state !== end)) {
        wrong.push(`the child runs of ${id}: ${parts.map(({ state }) => state)}`);
      }
      const items = ["pack/0", "pack/1", "pack/2", "close"].map((unit) => `${id} ${unit}`);
      const made = parts.flatMap((part) => [`${part.id} make`, `${part.id} check`]);
      const undos = [0, 1, 2].map((item) => `${id} pack/${item}/undo`).concat(
        parts.map((part) => `${part.id} make/undo`),
      );
      const wanted = [...items, ...made, ...(fails ? undos : [])];
      wrong.push(...wanted.filter((act) => !hasEnded.has(act)).map((act) => `never ended: ${act}`));
    }
    const charged = acts.flatMap(({ what, run, unit }) => what === "began" && unit === "charge" ? [run] : []);
    wrong.push(...charged.filter((run, at) => charged.indexOf(run) !== at).map((run) => `charged twice: ${run}`));
    assertEquals(wrong, []);
    const ticks = runs.map(({ tick }) => tick!).sort((a, b) => a - b);
    assertEquals(ticks, ticks.map((_, at) => ticks[0]! + at * EVERY_MS));
    const { counts } = await client.schedules.get("orders");
    assertEquals(counts, { started: ticks.length, overlapped: 0, missed: 0, failed: 0 });
    // An order was charged by its body, or by the decision on its blocked task.
    assert(charged.length + resolved >= ticks.length, `${charged.length} + ${resolved} of ${ticks.length}`);
    for (const child of children) child.kill("SIGTERM");
    for (const child of children) {
      const { code, stderr } = await ended(child);
      assertEquals([code, stderr], [0, ""]);
    }
  },
);

async function end(child: Child): Promise<void> {
  await child[Symbol.asyncDispose]();
}

/** Suspends a process; on SQLite not during a transaction, because its lock would block all other processes. */
async function freeze(child: Child, place: Place): Promise<void> {
  child.kill("SIGSTOP");
  while (isWriteLocked(place)) {
    child.kill("SIGCONT");
    await passes(5);
    child.kill("SIGSTOP");
  }
}
