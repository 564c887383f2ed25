/**
 * A process is killed after each durable write of a run that has every kind of task, fails and is compensated. Another
 * process must reach the same outcome, and repeat only the calls that were in progress.
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { createRunner } from "../../mod.ts";
import { spawn } from "../child.ts";
import { backend } from "../empty_store.ts";
import { test } from "../harness.ts";
import { tempDir } from "../temp_dir.ts";
import { DATABASES } from "../transactions/database.ts";
import { openAt } from "../transactions/place.ts";
import { within } from "../within.ts";
import { everyKind, type Line, readLines } from "./every_kind.ts";

/** An upper bound of the durable writes of a run. */
const MOST_WRITES = 200;

const CHILD_UNITS = ["pick", "label", "pick/undo", "label/undo"];
const UNITS = [
  "quote",
  "quote/undo",
  "pack/0",
  "pack/1",
  "pack/2",
  "pack/0/undo",
  "pack/1/undo",
  "pack/2/undo",
  "call",
];

test("killing a process after any durable write of a run with every kind of task changes neither its outcome nor its effects", async () => {
  // Each round on Postgres creates a schema and two processes: Deno tests the odd writes and Bun the even ones.
  const [first, step] = backend === "postgres" ? ["Deno" in globalThis ? 1 : 2, 2] : [1, 1];
  let last = 0;
  for (let writes = first; writes < MOST_WRITES; writes += step) {
    if (!await isKilledAfter(writes)) break;
    last = writes;
  }
  assert(last > 25, `the run had only ${last} durable writes`);
});

/** Returns whether the run had so many writes that its process was killed. */
async function isKilledAfter(writes: number): Promise<boolean> {
  using dir = tempDir();
  const log = join(dir.path, "effects.log");
  await using database = await DATABASES[backend]();
  const { place } = database;
  const doomed = spawn("./crash/every_kind_process.ts", [JSON.stringify({ place, log, writes })]);
  const exit = await within("the end of a process", doomed.exited);
  assertEquals(exit.stderr, "", `after ${writes} writes`);
  const isKilled = exit.signal === "SIGKILL";
  assert(isKilled || exit.code === 0, `after ${writes} writes: ${exit.code}`);
  const before = readLines(log);
  const reader = await openAt(place);
  // How often each unit was recorded as completed. The units of child runs are counted without their run.
  const durable = new Map<string, number>();
  const count = (unit: string): void => void durable.set(unit, (durable.get(unit) ?? 0) + 1);
  try {
    for (const { seq, workflow } of await reader.list(EVERY)) {
      for (const { task, step, state } of await reader.journal(seq)) {
        if (step === "" && state === "completed") count(unitOf(task));
      }
      if (workflow !== "every") continue;
      for (const task of ["pack", "\u0001pack"]) {
        const items = await reader.items({ seq, task, state: "completed", limit: 10 });
        for (const { item } of items) if (item >= 0) count(unitOf(task, item));
      }
    }
  } finally {
    await reader.close();
  }
  const flow = everyKind(place.kind, log);
  const store = await openAt(place);
  const runner = await createRunner(store, { workflows: [flow], logger: false, recoveryLimit: 100 });
  try {
    const run = await runner.start("every", { n: 5 }, { key: "one" });
    await run.send("approval", 2).catch(() => {});
    const outcome = await within("the run", run.outcome());
    const what = `killed after ${writes} writes`;
    assertEquals(outcome.status === "failed" && outcome.error.message, "closed for today", what);
    assertEquals(
      outcome.status === "failed" && outcome.compensated,
      ["quote", "pay", "pack", "ship", "notify", "call"].map((taskId) => ({ taskId })),
      what,
    );
    const children = await run.children();
    assertEquals(children.map(({ state }) => state), ["cancelled", "cancelled", "cancelled"], what);
    // Exactly once, because they are transactions.
    assertEquals(await database.payers(), ["paid", "refunded 7"], what);
    const after = readLines(log).slice(before.length);
    for (const unit of durable.keys()) {
      // Of the units of child runs some were durable and others were not.
      if (CHILD_UNITS.includes(unit)) continue;
      assertEquals(after.filter((line) => line.unit === unit), [], `${what}: ${unit} was durable and ran again`);
    }
    for (const unit of UNITS) assertTimes(unit, 1, what);
    for (const unit of CHILD_UNITS) assertTimes(unit, 3, what);
    assertTimes("call/undo", 2, what);
    assertOrder(what);
  } finally {
    await runner.stop();
    await store.close();
  }
  return isKilled;

  /** Asserts that a unit was called `times`, or at most once more for each call that was not durable at the kill. */
  function assertTimes(unit: string, times: number, what: string): void {
    const most = times + (isKilled ? calls(before, unit) - (durable.get(unit) ?? 0) : 0);
    const begun = calls(readLines(log), unit);
    assert(
      times <= begun && begun <= most,
      `${what}: ${unit} was called ${begun} times, and at most ${most} were right`,
    );
  }

  /** Asserts that undos were called in reverse order of their tasks. */
  function assertOrder(what: string): void {
    const units = readLines(log).filter((line) => line.what === "ended").map(({ unit }) => unit);
    const [quote, pack, call] = ["quote/undo", "pack/1/undo", "call/undo"].map((unit) => units.indexOf(unit));
    assert(call! < units.indexOf("label/undo") && units.lastIndexOf("pick/undo") < pack! && pack! < quote!, what);
  }
}

function calls(lines: readonly Line[], unit: string): number {
  return lines.filter((line) => line.what === "began" && line.unit === unit).length;
}

/** Returns the name in the log for a task of the journal. */
function unitOf(task: string, item?: number): string {
  const id = task.replace("\u0001", "") + (item === undefined ? "" : `/${item}`);
  return task.startsWith("\u0001") ? `${id}/undo` : id;
}

const EVERY = {
  workflow: undefined,
  states: undefined,
  tags: undefined,
  since: undefined,
  until: undefined,
  limit: 10,
  before: undefined,
};
