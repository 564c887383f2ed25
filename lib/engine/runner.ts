/**
 * A runner: the outbox, the executor, the claims and the lease around one store.
 *
 * @module
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { setImmediate } from "node:timers";
import { newChecks } from "../definition/checks.ts";
import type { AnyWorkflow } from "../definition/workflow.ts";
import { sleep } from "../clock.ts";
import type { Duration } from "../duration.ts";
import { RecoveryLimitError } from "../errors.ts";
import { openStore } from "../store/open.ts";
import type { JournalRecord, StartVerdict } from "../store/batch.ts";
import { ANY_CHANGE, type Change, type Store } from "../store/port.ts";
import { type Catalog, catalogOf, definitionsOf } from "./catalog.ts";
import { createClaims } from "./claims.ts";
import { type Client, clientMethods } from "./client.ts";
import { createClientContext, withContext } from "./client_context.ts";
import { toErrorRecord } from "./error_record.ts";
import { createEngineEvents } from "./engine_events.ts";
import { createExecutor } from "./executor.ts";
import { createIntake } from "./intake.ts";
import { takeLease } from "./lease.ts";
import { LiveRun } from "./live_run.ts";
import { createMeter } from "./meter.ts";
import { refuse, type RunnerOptions, type RunnerSettings, runnerSettings } from "./options.ts";
import { createOutbox } from "./outbox.ts";
import { thisIsolate } from "./process_liveness.ts";
import { watchRunners } from "./recovery.ts";
import { createPublicEvents } from "./public_events.ts";
import { logUnhandledRejections } from "./rejections.ts";
import { checkTransactions } from "./transactions.ts";
import { startRetention } from "./retention.ts";
import type { RunToInsert } from "./start_options.ts";
import { createStandstill } from "./standstill.ts";
import { createStrayRuns } from "./stray_runs.ts";
import type { RunnerStats } from "./stats.ts";
import { withinLimit } from "./stop_limit.ts";

/** How long `stop()` lets bodies finish unless it is told otherwise. */
const DRAIN_MS = 10_000;
/** How long it then waits for bodies that were aborted, and for the store. */
const STOP_MS = 2_000;

const NO_JOURNAL: readonly JournalRecord[] = [];

/** Options of `stop`. */
export interface StopOptions {
  /** How long bodies may take to finish before they are aborted and their runs handed back. @default {"10s"} */
  readonly timeout?: Duration;
}

/** Executes runs, and does all that a client does. */
export interface Runner<W extends AnyWorkflow> extends Client<W> {
  /**
   * Claims nothing more, lets running bodies finish for at most `timeout`, aborts those that did not, and hands back
   * the remaining runs without counting an attempt. Nothing of the runner remains afterwards.
   *
   * Resolves at most 2 s after `timeout`, also if the store does not answer: then a warning says how many runs were not
   * handed back, and other runners take them over when the lease expires.
   */
  stop(options?: StopOptions): Promise<void>;
}

/**
 * Opens a store and executes runs of the given workflows until it is stopped.
 *
 * Runs that others left, or that a dead runner held, are taken up at once.
 *
 * @param target Where runs are kept: `sqlite://./app.db`, `sqlite:///abs/app.db`, `sqlite::memory:`, `postgres://…`, or an
 * open store.
 * @throws {StoreError} If the store cannot be opened; the message says what to do.
 * @throws {DefinitionError} If a workflow cannot be executed.
 * @throws {TypeError} If an option is wrong.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { createRunner, workflow } from "@sluice/sluice";
 *
 * const greet = workflow("greet")
 *   .task("name", { run: () => "world" })
 *   .task("hello", { after: ["name"], run: ({ name }) => `hello ${name}` })
 *   .returns("hello");
 *
 * await using runner = await createRunner("sqlite::memory:", { workflows: [greet] });
 * const outcome = await runner.execute(greet);
 * assertEquals(outcome.status === "completed" && outcome.result, "hello world");
 * ```
 */
export async function createRunner<const W extends AnyWorkflow>(
  target: string | Store,
  options: RunnerOptions<W>,
): Promise<Runner<W>> {
  const settings = runnerSettings(options);
  const catalog = catalogOf(settings.workflows);
  const { store, close } = await openStore(target, settings);
  try {
    return await openRunner<W>(store, close, catalog, settings);
  } catch (error) {
    await close();
    throw error;
  }
}

async function openRunner<W extends AnyWorkflow>(
  store: Store,
  close: () => Promise<void>,
  catalog: Catalog,
  settings: RunnerSettings,
): Promise<Runner<W>> {
  const { clock, logger, maxRuns } = settings;
  // What a control request sets going, such as a body of a resumed run, must not see the async context of its caller.
  const inOwnContext = AsyncLocalStorage.snapshot();
  const now = (): number => store.now();
  let reserved = 0;
  let claimingAs = 0;
  let stopping: Promise<void> | undefined;

  const events = createEngineEvents();
  const meter = createMeter(catalog.plans, now);
  const outbox = createOutbox(store, {
    claim() {
      claimingAs = lease.runner;
      return claims.next();
    },
    claimed(claim) {
      // First taken in, so that what the answer makes the runner ask for next leaves these their places. A claim whose
      // lease was lost meanwhile is ignored: what it took was handed back with the rest, or recovered.
      const claimedAs = claimingAs;
      if (lease.owns(claimedAs)) void intake.take(claim?.runs ?? [], () => lease.owns(claimedAs));
      claims.answered(claim);
    },
    logger,
    failed: () => events.emit({ type: "commitFailed" }),
    committed: (rows, ms) => events.emit({ type: "committed", rows, ms }),
  });
  checkTransactions(catalog, store);
  const context = createClientContext(settings, {
    store,
    catalog,
    insert,
    applyChanges: () => inOwnContext(() => changed(ANY_CHANGE)),
    ownRuns: () => executor.ids,
    runner: {
      id: () => lease.runner,
      load,
      metrics: meter.metrics,
      isQueued: (runId, taskId) => executor.isQueued(runId, taskId),
    },
  });
  events.subscribe(meter.observe);
  const { onEvent } = settings;
  if (onEvent !== undefined) events.subscribe(createPublicEvents({ onEvent, logger, now }));
  events.subscribe(context.watcher.observe);
  const executor = createExecutor({
    outbox,
    clock,
    now,
    logger,
    concurrency: settings.concurrency,
    maxPayloadBytes: settings.maxPayloadBytes,
    random: Math.random,
    canStart: () => lease.isHeld(),
    transact: (request) => store.transact(request),
    emit: events.emit,
    tracing: settings.tracing,
    released(dueAt) {
      if (dueAt !== undefined) claims.expect(dueAt);
      claims.freed();
    },
  });

  const intake = createIntake({
    store,
    catalog,
    definition: context.reader.definition,
    outbox,
    logger,
    now,
    recoveryLimit: settings.recoveryLimit,
    held: () => executor.crashes,
    isStopping: () => stopping !== undefined,
    bringIn: (plan, run) => executor.adopt(new LiveRun(plan, run)),
    expect: (dueAt) => claims.expect(dueAt),
    emit: events.emit,
  });

  const { leaseMs, recoveryLimit } = settings;
  const standstill = createStandstill(clock);
  const card = {
    ...thisIsolate(),
    served: catalog.served,
    pinned: settings.onVersionChange === "pin",
    concurrency: settings.concurrency,
    maxRuns,
  };
  const lease = await takeLease({
    store,
    clock,
    logger,
    leaseMs,
    card,
    standstill,
    changed: (inbox) => executor.applyChanges(inbox),
    checkOwned: createStrayRuns({
      outbox,
      logger,
      check: executor.checkOwned,
      isAtRest: () => reserved === 0 && intake.size === 0 && claims.asked === 0 && stopping === undefined,
    }),
    lost() {
      events.emit({ type: "leaseLost" });
      executor.loseAll();
    },
    written: () => Promise.race([outbox.idle(), sleep(clock, leaseMs / 3)]),
    confirmed() {
      executor.resume();
      claims.hint();
    },
  });
  const recovery = watchRunners({
    store,
    clock,
    logger,
    lease,
    leaseMs,
    card,
    standstill,
    recoveryLimit,
    recovered({ released, failed }) {
      if (released.length > 0) claims.hint();
      for (const run of released) events.emit({ type: "runRecovered", run, crashes: run.crashes });
      for (const run of failed) {
        events.emit({ type: "runGivenUp", run, error: toErrorRecord(new RecoveryLimitError(run.id, run.crashes)) });
      }
    },
  });
  const claims = createClaims({
    clock,
    now,
    room: () => lease.isHeld() ? claimable() : 0,
    request: () => ({
      runner: lease.runner,
      served: catalog.served,
      pinned: settings.onVersionChange === "pin",
    }),
    poke: () => outbox.poke(),
  });
  const unwatch = store.watch((change) => void changed(change));
  const ignoreRejections = settings.unhandledRejections === "log" ? logUnhandledRejections(logger) : () => {};
  const stopRetention = startRetention(store, { clock, logger, retentionMs: settings.retentionMs });
  try {
    // After the runner has joined: definitions that no runner serves may be deleted.
    await store.define(definitionsOf(catalog));
    await store.unstrand(catalog.served);
    await recovery.recover();
  } catch (error) {
    await stop({ timeout: 0 }).catch(() => {});
    throw error;
  }
  claims.hint();

  return withContext<Runner<W>>(context, {
    ...clientMethods<W>(context),
    stats: async () => ({ runs: await store.counts(), store: store.counters(), runner: load() }),
    stop,
    [Symbol.asyncDispose]: () => stop(),
  });

  function load(): RunnerStats {
    const { active, queued } = executor.load;
    return { runs: executor.size, active, queued, done: meter.totals() };
  }

  /** How many more runs fit in memory. */
  function room(): number {
    return maxRuns - executor.size - reserved - intake.size;
  }

  /**
   * How many runs to claim: as many as there are free slots, so that runners share a burst. Runs in memory that only wait
   * take no slot.
   */
  function claimable(): number {
    const { active, queued } = executor.load;
    return Math.min(room(), settings.concurrency - active - queued - intake.size);
  }

  /** Inserts runs, owned as far as there is room for them and nobody else waits for it. */
  function insert(runs: readonly RunToInsert[]): Promise<readonly StartVerdict[]> {
    // A place that a claim may fill is most often free once it has landed. To leave a run in the store, to be claimed in
    // its turn, and others behind it, would cost more than the wait.
    if (!claims.isBacklogged && claims.asked > 0 && room() - claims.asked < runs.length) {
      return insertLater(runs);
    }
    const places = stopping !== undefined || claims.isBacklogged || !lease.isHeld() ? 0 : room() - claims.asked;
    let kept = 0;
    for (const run of runs) {
      if (kept >= places || run.fork !== undefined || run.dueAt > now()) continue;
      run.owner = lease.runner;
      kept++;
    }
    reserved += kept;
    return outbox.startMany(runs, (verdicts) => {
      reserved -= kept;
      verdicts?.forEach((verdict, at) => settle(runs[at]!, verdict));
    });
  }

  async function insertLater(runs: readonly RunToInsert[]): Promise<readonly StartVerdict[]> {
    await claims.settled();
    return await insert(runs);
  }

  function settle(run: RunToInsert, verdict: StartVerdict): void {
    if (verdict.kind !== "started") return;
    if (!verdict.owned) return run.dueAt > now() ? claims.expect(run.dueAt) : claims.backlog();
    // A start whose lease was lost meanwhile is ignored, as a claim is.
    if (run.owner === undefined || !lease.owns(run.owner)) return;
    const { id, input, timeoutMs, workflow, trace } = run;
    const deadlineAt = timeoutMs === undefined ? undefined : verdict.at + timeoutMs;
    const loaded = {
      id,
      input,
      startedAt: verdict.at,
      timeoutMs,
      deadlineAt,
      seq: verdict.seq,
      epoch: 1,
      crashes: 0,
      trace,
      attention: 0,
      journal: NO_JOURNAL,
    };
    executor.adopt(new LiveRun(catalog.get(workflow)!, loaded));
  }

  /** Something was changed past the outbox, by this process or another. */
  async function changed({ due, attention }: Change): Promise<void> {
    if (due) claims.hint();
    // Also while nothing is in memory: a claim may be on its way.
    if (attention === undefined || attention.includes(lease.runner)) await lease.readInbox().catch(complain);
  }

  function complain(error: unknown): void {
    // The store was closed while it was asked.
    if (stopping !== undefined) return;
    logger.error("Cannot read which runs were changed from outside; they are read again with the next renewal", {
      error: String(error),
    });
  }

  async function stop(options: StopOptions = {}): Promise<void> {
    const checks = newChecks();
    const { timeout } = checks.options(options, "the options", ["timeout"]);
    const drainMs = checks.duration(timeout, "timeout") ?? DRAIN_MS;
    refuse("stop a runner", checks);
    await (stopping ??= shut(drainMs));
  }

  async function shut(drainMs: number): Promise<void> {
    claims.stop();
    recovery.stop();
    stopRetention();
    try {
      await withinLimit(handBack(drainMs), drainMs + STOP_MS, () => {
        outbox.giveUp();
        logger.warn(
          `Stopped before the store took everything: ${executor.size} runs were not handed back; ` +
            "other runners take them over when the lease expires",
        );
      });
    } finally {
      unwatch();
      context.watcher.close();
      await turn();
      ignoreRejections();
      await close();
    }
  }

  async function handBack(drainMs: number): Promise<void> {
    await outbox.idle();
    // Control requests are applied until the last body has ended: a caller that cancels a run need not wait for the drain.
    await executor.drain(drainMs);
    await lease.leave();
  }
}

/** Lets the event loop turn: Bun tells of rejections no sooner. */
function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
