import { newChecks } from "../definition/checks.ts";
import type { Poll } from "../definition/poll.ts";
import type { Schedule } from "../definition/schedule.ts";
import { parseTime } from "../definition/time.ts";
import type { AnyWorkflow } from "../definition/workflow.ts";
import type { Duration } from "../duration.ts";
import { type Client, createClient } from "../engine/client/client.ts";
import type { RunEvent } from "../engine/reading/events.ts";
import { refuse, type RunnerOptions } from "../engine/options.ts";
import { createRunner } from "../engine/runner.ts";
import type { Runner } from "../engine/runner_interface.ts";
import { openStore } from "../store/open.ts";
import { crashes } from "./crash_plan.ts";
import { createFakeClock } from "./fake_clock.ts";
import { createLife, shareStore } from "./mortal.ts";
import { createStubbing, withChildren } from "./stubs.ts";
import { type LoggedLine, recordingLogger } from "./test_context.ts";
import type { TestRunner, TestRunnerOptions } from "./test_runner_interface.ts";

const OPTIONS: readonly (keyof TestRunnerOptions<AnyWorkflow>)[] = [
  ...["workflows", "schedules", "defaults", "concurrency", "maxRuns", "lease", "retention", "maxPayloadBytes"] as const,
  ...["onVersionChange", "recoveryLimit", "onEvent", "tracing", "stubs", "now"] as const,
];

const LONGEST_RUN: Duration = "30d";

/**
 * Opens a runner for tests, on a store in memory and with a clock that the test advances. Schedules and polls use the
 * same clock.
 *
 * @throws {TypeError} If an option is invalid, or a stub is for a task that does not exist.
 * @throws {DefinitionError} If a workflow cannot be executed.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { schedule, unchecked, workflow } from "@sluice/sluice";
 * import { createTestRunner } from "@sluice/sluice/testing";
 *
 * const dunning = workflow("dunning", { input: unchecked<string>() })
 *   .task("balance", { run: async ({ input }) => Number(await (await fetch(`https://bank/${input}`)).text()) })
 *   .event("paid", { after: ["balance"], schema: unchecked<number>(), timeout: "14d" })
 *   .task("close", { after: ["balance", "paid"], run: ({ balance, paid }) => paid === balance ? "paid" : "reminded" })
 *   .returns("close");
 * const monthly = schedule({ name: "monthly", workflow: dunning, cron: "0 8 1 * *", input: "all" });
 *
 * await using runner = await createTestRunner({
 *   workflows: [dunning],
 *   schedules: [monthly],
 *   stubs: { dunning: { balance: 10 } },
 * });
 * const run = await runner.start(dunning, "42");
 * await runner.advance("3d");
 * await runner.kill(); // and everything that was not written is lost
 * await runner.restart();
 * await run.send("paid", 10);
 * assertEquals(await runner.until(run.result()), "paid");
 *
 * assertEquals((await runner.execute(dunning, "43")).status, "completed"); // two weeks later
 * await runner.advance("60d");
 * assertEquals((await runner.schedules.get("monthly")).counts.started, 3);
 * ```
 */
export async function createTestRunner<const W extends AnyWorkflow>(
  options: TestRunnerOptions<W>,
): Promise<TestRunner<W>> {
  const checks = newChecks();
  const { now, stubs: _, onEvent, ...rest } = checks.options(options, "the options", OPTIONS);
  const nowMs = now === undefined ? undefined : parseTime(now);
  if (now !== undefined && nowMs === undefined) checks.report("now is not a time");
  refuse("create a test runner", checks);
  const clock = createFakeClock(nowMs);
  const plan = crashes.getStore();
  const logged: LoggedLine[] = [];
  const events: RunEvent[] = [];
  const logger = recordingLogger(logged);
  const common = { ...rest, logger, clock };
  let program: Program = options;
  let definitions = definitionsOf(program);
  const { store } = await openStore("sqlite::memory:", { schema: undefined, durability: "process", clock, logger });
  const shared = shareStore(store, clock);
  const clients: Client<W>[] = [];
  let lives = 0;
  let current: { readonly runner: Runner<W>; readonly end: () => void } | undefined;
  /** A restart after a crash that was planned. */
  let restarting: Promise<void> | undefined;
  try {
    await open();
  } catch (error) {
    await shared.close();
    throw error;
  }
  const client = (): Client<W> => clients.at(-1)!;
  return {
    clock,
    events,
    logged,
    get isKilled() {
      return current === undefined;
    },
    get schedules() {
      return client().schedules;
    },
    start: (target, ...args) => client().start(target, ...args),
    startMany: (target, inputs, options) => client().startMany(target, inputs, options),
    execute: (target, ...args) => until(client().execute(target, ...args)),
    get: (runId) => client().get(runId),
    send: (runId, taskId, payload) => client().send(runId, taskId, payload),
    list: (options) => client().list(options),
    explain: (runId) => client().explain(runId),
    stranded: () => client().stranded(),
    blocked: () => client().blocked(),
    limits: (options) => client().limits(options),
    cancelMany: (filter, options) => client().cancelMany(filter, options),
    pauseMany: (filter, options) => client().pauseMany(filter, options),
    resumeMany: (filter, options) => client().resumeMany(filter, options),
    retryMany: (filter, options) => client().retryMany(filter, options),
    deleteMany: (filter, options) => client().deleteMany(filter, options),
    tagMany: (filter, tags, options) => client().tagMany(filter, tags, options),
    async advance(duration) {
      await clock.advance(duration);
      await restarting;
    },
    async settle() {
      await clock.settle();
      await restarting;
    },
    until,
    async kill() {
      await restarting;
      current?.end();
      current = undefined;
    },
    async restart(changes = {}) {
      await restarting;
      const read = newChecks();
      read.options(changes, "the options", ["workflows", "stubs", "schedules"]);
      refuse("restart a test runner", read);
      const { workflows = program.workflows, stubs, schedules = program.schedules } = changes;
      const next = { workflows, stubs: stubs ?? (changes.workflows === undefined ? program.stubs : {}), schedules };
      const changed = definitionsOf(next);
      if (current !== undefined) await clock.until(current.runner.stop());
      current = undefined;
      [program, definitions] = [next, changed];
      await open();
    },
    stats: () => (current?.runner ?? client()).stats(),
    stop,
    [Symbol.asyncDispose]: stop,
  };

  async function until<T>(promise: PromiseLike<T>, limit: Duration = LONGEST_RUN): Promise<T> {
    const result = await clock.until(promise, limit);
    await restarting;
    return result;
  }

  /** Opens a runner, and another one if it dies while it opens. */
  async function open(): Promise<void> {
    const { schedules } = definitions;
    // Those of a restart have other types, which the methods of this runner do not know.
    const workflows = definitions.workflows as readonly W[];
    const executed = { workflows, ...schedules === undefined ? {} : { schedules } };
    clients.push(await createClient(shared.party(), { logger, clock, ...executed }));
    for (;;) {
      const life = createLife(shared, clock, { isolate: `test-${++lives}`, wrote });
      const opened = createRunner(life.store, {
        ...common,
        ...executed,
        clock: life.clock,
        // The framework of the tests reports them.
        unhandledRejections: "ignore",
        onEvent(event) {
          events.push(event);
          (onEvent as RunnerOptions<W>["onEvent"])?.(event);
        },
      });
      const runner = await Promise.race([opened, life.ended]);
      if (runner !== undefined && !life.isEnded()) {
        current = { runner, end: life.end };
        return;
      }
    }

    function wrote(method: string, end: () => void): void {
      if (plan?.isDue(method) !== true) return;
      end();
      // Not while it opens: then open() goes on.
      if (current === undefined) return;
      current = undefined;
      restarting = open();
      // What it throws is thrown by the next call that waits for it.
      restarting.catch(() => {});
      clock.outside(restarting);
    }
  }

  async function stop(): Promise<void> {
    try {
      await restarting;
      if (current !== undefined) await clock.until(current.runner.stop());
      current = undefined;
      for (const client of clients) await client.stop();
    } finally {
      await shared.close();
    }
  }
}

/** What a runner executes. */
interface Program {
  readonly workflows: readonly AnyWorkflow[];
  readonly stubs?: unknown;
  readonly schedules?: readonly (Schedule | Poll)[] | undefined;
}

/** What a runner executes, with its stubs in their places. */
type Definitions = Pick<Program, "workflows" | "schedules">;

/**
 * Puts stubs in their places.
 *
 * @throws {TypeError} If a stub is wrong, or a task needs a database that a store in memory does not have.
 */
function definitionsOf({ workflows, stubs, schedules }: Program): Definitions {
  // The runner reports what is not a list of workflows.
  if (!Array.isArray(workflows)) return { workflows, schedules };
  const stubbing = createStubbing(workflows, stubs);
  const stubbed = workflows.map(stubbing);
  for (const [name, { tasks }] of withChildren(stubbed)) {
    for (const task of tasks) {
      const { kind } = task.kind === "map" ? task.each : task;
      if (kind === "transaction") {
        throw new TypeError(
          `Cannot create a test runner: task "${task.id}" of workflow "${name}" is a transaction, for which a store in ` +
            `memory has no database; give it a stub: { ${name}: { ${task.id}: … } }`,
        );
      }
    }
  }
  return { workflows: stubbed, schedules };
}
