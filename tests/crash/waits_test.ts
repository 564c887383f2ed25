/** Runners are killed at random moments while runs wait for messages, times and decisions. */
import { assert, assertEquals } from "@std/assert";
import { randomTest } from "../harness.ts";
import process from "node:process";
import { passes } from "../passes.ts";
import { within } from "../within.ts";
import { openSite, type Site } from "./site.ts";
import { APPROVAL, expected } from "./workflows.ts";

const ROUNDS = Number(process.env["SLUICE_CRASH_ROUNDS"] ?? 12);
const RUNS = 4;

randomTest(
  "no message is lost and no at-most-once body begins twice if runners are killed at random moments",
  async (random) => {
    await using site = await openSite();
    const started: { readonly id: string; readonly name: string; readonly n: number }[] = [];
    const open: string[] = [];
    for (let n = 0; n < ROUNDS; n++) {
      for (const name of ["approved", "once"]) {
        const handles = await site.client.startMany(name, Array.from({ length: RUNS }, () => ({ n })));
        for (const { id } of handles) started.push({ id, name, n });
        if (name === "approved") open.push(...handles.map(({ id }) => id));
      }
      const worker = site.worker({ quiet: true, bodyMs: 15, recoveryLimit: 1_000_000 });
      await worker.until("ready");
      const killed = passes(random.next() * 120).then(() => site.kill(worker));
      // Some are sent before the task waits, some while it waits, some while no runner is alive.
      while (open.length > RUNS) {
        await passes(random.next() * 20);
        assertEquals(await site.client.send(open.shift()!, "approval", APPROVAL), { accepted: true });
      }
      await killed;
    }
    const last = site.worker({ quiet: true, bodyMs: 5, recoveryLimit: 1_000_000 });
    for (const id of open) await site.client.send(id, "approval", APPROVAL);
    const ends = Promise.all(started.map(({ id }) => site.client.get(id).outcome()));
    let isOver = false;
    void ends.then(() => isOver = true, () => isOver = true);
    const blocked = new Set<string>();
    const resolved = resolveAll(site, () => isOver, blocked, new Map(started.map(({ id, n }) => [id, n])));
    const outcomes = await within("the end of all runs", ends);
    await resolved;
    assertEquals(
      outcomes.map((outcome) => outcome.status === "completed" ? outcome.result : outcome.status),
      started.map(({ name, n }) => expected(name, n).result),
    );
    await site.stop(last);
    assertEquals(await site.wrong(), []);
    const charges = site.effects().filter(({ kind, unit }) => kind === "begin" && unit === "charge");
    assertEquals(charges.length, new Set(charges.map(({ runId }) => runId)).size, "a body began twice");
    // Only attempts that have begun, or whose start was durable when the runner was killed, may be blocked.
    const begun = new Set(charges.map(({ runId }) => runId));
    assertEquals(started.filter(({ id, name }) => name === "once" && !begun.has(id) && !blocked.has(id)), []);
    assert(site.effects().filter(({ kind }) => kind === "kill").length === ROUNDS);
  },
);

/** Resolves each blocked task with the result of its body, until all runs have ended. */
async function resolveAll(
  site: Site,
  isOver: () => boolean,
  blocked: Set<string>,
  inputs: ReadonlyMap<string, number>,
): Promise<void> {
  while (!isOver()) {
    for (const { runId, taskId } of await site.client.blocked()) {
      if (blocked.has(runId)) continue;
      assertEquals(taskId, "charge");
      blocked.add(runId);
      await site.client.get(runId).resolve("charge", { output: inputs.get(runId)! * 2 });
    }
    await passes(20);
  }
}
