/**
 * A runner, composed of named parts in the order of their construction: each knows only the parts before it, and notifies
 * those after it through the stream of events.
 *
 * @module
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { setImmediate } from "node:timers/promises";
import { newChecks } from "../definition/checks.ts";
import type { AnyWorkflow } from "../definition/workflow.ts";
import { openStore } from "../store/open.ts";
import { ANY_CHANGE, type Store } from "../store/port/store.ts";
import { createAdmission } from "./fleet/admission.ts";
import { catalogOf, definitionsOf } from "./catalog.ts";
import { createChildOutcomes } from "./children/child_outcomes.ts";
import { CLAIMED_AFTER, createClaimLoop } from "./fleet/claim_loop.ts";
import { clientMethods } from "./client/client.ts";
import { type ClientContext, createClientContext, withContext } from "./client/client_context.ts";
import { coalesce } from "./coalesce.ts";
import { createCommitter } from "./commit/committer.ts";
import { createEngineEvents } from "./telemetry/engine_events.ts";
import { createExecutor } from "./execution/executor.ts";
import { createHintLimit } from "./fleet/hint_limit.ts";
import { takeLease } from "./fleet/lease.ts";
import { rulesOf } from "./limits/permit_request.ts";
import { createMeter } from "./telemetry/meter.ts";
import { refuse, type RunnerOptions, type RunnerSettings, runnerSettings } from "./options.ts";
import { createOutsideChanges } from "./fleet/outside_changes.ts";
import { createOwnChildren } from "./children/own_children.ts";
import { createOwnStarts } from "./own_starts.ts";
import { thisIsolate } from "./fleet/process_liveness.ts";
import { createConsoleReports, REPORTED } from "./telemetry/console_reports.ts";
import { createPublicEvents } from "./telemetry/public_events.ts";
import { watchRunners } from "./fleet/recovery.ts";
import { logUnhandledRejections } from "./rejections.ts";
import { startRetention } from "./retention.ts";
import { createRunReader } from "./reading/run_reader.ts";
import type { Scheduler } from "./schedules/scheduler.ts";
import { readEntries } from "./schedules/entries.ts";
import { startScheduling } from "./schedules/scheduling.ts";
import type { Runner, StopOptions } from "./runner_interface.ts";
import { createRunStarter } from "./client/start_run.ts";
import { createStandstill } from "./fleet/standstill.ts";
import { type RunnerStats, storeStats } from "./telemetry/stats.ts";
import { withinLimit } from "./stop_limit.ts";
import { createStrayRuns } from "./fleet/stray_runs.ts";
import { checkTransactions } from "./execution/transactions.ts";

/** How long `stop()` lets bodies finish by default. */
const DRAIN_MS = 10_000;
/** How long it then waits for bodies that were aborted, and for the store. */
const STOP_MS = 2_000;

/**
 * Opens a store and executes runs of the given workflows until it is stopped.
 *
 * Unowned runs and the runs of dead runners are claimed at once.
 *
 * @param target The URL of the store (`sqlite://./app.db`, `sqlite:///abs/app.db`, `sqlite::memory:`, `postgres://…`),
 * or an open store.
 * @throws {StoreError} If the store cannot be opened; the message names the remedy.
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
  const catalog = catalogOf(settings.workflows, settings.defaults);
  const schedules = await readEntries(settings.schedules ?? [], { ...settings, catalog });
  const { store, close } = await openStore(target, settings);
  try {
    return await openRunner<W>(store, close, { catalog, schedules }, settings);
  } catch (error) {
    await close();
    throw error;
  }
}

async function openRunner<W extends AnyWorkflow>(
  store: Store,
  close: () => Promise<void>,
  { catalog, schedules }: Pick<ClientContext, "catalog" | "schedules">,
  settings: RunnerSettings,
): Promise<Runner<W>> {
  const { clock, logger, maxRuns, concurrency, leaseMs, recoveryLimit, onEvent } = settings;
  // What a control request sets going, such as a body of a resumed run, must not see the async context of its caller.
  const inOwnContext = AsyncLocalStorage.snapshot();
  const now = (): number => store.now();
  const isStopping = (): boolean => stopping !== undefined;
  const pinned = settings.onVersionChange === "pin";
  let stopping: Promise<void> | undefined;
  let scheduler: Scheduler | undefined;
  checkTransactions(catalog, store);
  const limitRules = rulesOf([...catalog.plans, ...schedules.catalog.plans], "create a runner");

  const events = createEngineEvents();
  const { emit } = events;
  const meter = createMeter(catalog.plans, now);
  events.subscribe(meter.observe);
  if (settings.reportsToConsole) events.subscribe(createConsoleReports(), REPORTED);
  if (onEvent !== undefined) events.subscribe(createPublicEvents({ onEvent, logger, now }));
  const committer = createCommitter(store, {
    logger,
    failed: () => emit({ type: "commitFailed" }),
    committed: (rows, ms) => emit({ type: "committed", rows, ms }),
  });
  const reader = createRunReader(store, catalog);
  const children = createChildOutcomes(store, reader);
  const executor = createExecutor({
    children,
    committer,
    clock,
    now,
    logger,
    concurrency,
    maxRuns,
    maxPayloadBytes: settings.maxPayloadBytes,
    random: Math.random,
    // These parts are used before they are constructed, but not called: nothing starts before the lease is taken.
    canStart: () => lease.isHeld(),
    starter: createRunStarter(() => context),
    ownChildren: {
      take: (runs) => ownChildren.take(runs),
      settle: (spawning, inserted) => ownChildren.settle(spawning, inserted),
      drop: (spawning) => ownChildren.drop(spawning),
    },
    store,
    limitRules,
    runner: () => lease.runner,
    async cancel(runId, reason) {
      await store.control(runId, { kind: "cancel", reason });
      await changed(ANY_CHANGE);
    },
    emit,
    tracing: settings.tracing,
  });
  const isAtRest = (): boolean => executor.reserved === 0 && !isStopping();
  const checkOwned = createStrayRuns({ committer, logger, check: executor.checkOwned, isAtRest });
  const standstill = createStandstill(clock);
  const card = {
    ...thisIsolate(),
    served: catalog.served,
    pinned,
    concurrency,
    maxRuns,
    schedules: [...schedules.byName.keys()],
  };
  const lease = await takeLease({
    store,
    clock,
    logger,
    leaseMs,
    card,
    standstill,
    committer,
    executor,
    checkOwned,
    emit,
  });
  const admission = createAdmission({
    store,
    children,
    catalog,
    definition: reader.definition,
    committer,
    executor,
    logger,
    now,
    recoveryLimit,
    isStopping,
    emit,
  });
  let usefulHints = 0;
  const { changed, concernsOwn } = createOutsideChanges({
    claims: { look: () => claims.look() },
    lease,
    logger,
    permits: executor.permits,
    isStopping,
    useful: () => usefulHints++,
  });
  const claims = createClaimLoop({
    store,
    logger,
    clock,
    now,
    executor,
    capacity: () => lease.isHeld() ? executor.capacity : 0,
    request: () => ({ runner: lease.runner, served: catalog.served, pinned }),
    claimed(runs, runner) {
      // Not if the lease was lost in the meantime: what was claimed was handed back with all others, or recovered.
      if (lease.owns(runner)) void admission.admit(runs, () => lease.owns(runner));
      usefulHints++;
    },
  });
  const ownChildren = createOwnChildren({ catalog, claims, executor, lease, isStopping });
  events.subscribe(claims.observe, CLAIMED_AFTER);
  // Not every store notifies the process that made a change.
  const relativesChanged = coalesce(() => changed(ANY_CHANGE));
  events.subscribe(() => relativesChanged(), ["parentWoken", "childrenControlled"]);
  events.subscribe(executor.permits.look, ["childrenStarted", "scheduleAdvanced", "runRecovered", "runGivenUp"]);
  const insert = createOwnStarts({ catalog, committer, claims, executor, lease, now, isStopping });
  const context = createClientContext(settings, {
    store,
    catalog,
    schedules,
    reader,
    insert,
    admit: executor.permits.admit,
    lookAtSchedule: (name) => scheduler?.look(name),
    applyChanges: () => inOwnContext(() => changed(ANY_CHANGE)),
    ownRuns: () => executor.ids,
    runner: {
      id: () => lease.runner,
      holds: executor.holds,
      load,
      metrics: meter.metrics,
      isQueued: executor.isQueued,
    },
  });
  events.subscribe(context.watcher.observe, ["runChanged", "runEnding", "runEnded", "runGivenUp", "runAbandoned"]);
  const recovery = watchRunners({ store, clock, logger, lease, leaseMs, card, standstill, recoveryLimit, emit });
  const hints = createHintLimit({ act: (change) => void changed(change), useful: () => usefulHints, clock });
  const unwatch = store.watch((change) => {
    if (change.due || concernsOwn(change)) hints.hint(change);
    if (change.due || change.ended) executor.permits.look();
  });
  const ignoreRejections = settings.unhandledRejections === "log" ? logUnhandledRejections(logger) : () => {};
  const stopRetention = startRetention(store, { clock, logger, retention: settings.retention });
  try {
    // After the runner has joined: definitions that no runner serves may be deleted.
    await store.define(definitionsOf(catalog));
    if (schedules.catalog.plans.length > 0) await store.define(definitionsOf(schedules.catalog));
    if (limitRules.length > 0) await store.limits.deploy(limitRules, "runner");
    await executor.permits.begin();
    await store.unstrand(catalog.served);
    await recovery.recover();
    if (settings.schedules !== undefined) scheduler = await startScheduling(context, emit);
  } catch (error) {
    await stop({ timeout: 0 }).catch(() => {});
    throw error;
  }
  claims.look();

  return withContext<Runner<W>>(context, {
    ...clientMethods<W>(context),
    stats: async () => ({ ...await storeStats(store), runner: load() }),
    stop,
    [Symbol.asyncDispose]: () => stop(),
  });

  function load(): RunnerStats {
    const { active, queued } = executor.load;
    return { runs: executor.size, active, queued, done: meter.totals() };
  }

  async function stop(options: StopOptions = {}): Promise<void> {
    const checks = newChecks();
    const { timeout } = checks.options(options, "the options", ["timeout"]);
    const drainMs = checks.duration(timeout, "timeout") ?? DRAIN_MS;
    refuse("stop a runner", checks);
    await (stopping ??= shut(drainMs));
  }

  async function shut(drainMs: number): Promise<void> {
    recovery.stop();
    stopRetention();
    try {
      await withinLimit(handBack(drainMs), drainMs + STOP_MS, () => {
        committer.giveUp();
        logger.warn(
          `Stopped although the store did not respond: ${executor.size} runs were not released; ` +
            "other runners recover them when the lease expires",
        );
      });
    } finally {
      unwatch();
      hints.stop();
      context.watcher.close();
      // Bun reports unhandled rejections in the next turn of the event loop.
      await setImmediate();
      ignoreRejections();
      await close();
    }
  }

  async function handBack(drainMs: number): Promise<void> {
    await scheduler?.stop();
    await claims.stop();
    await committer.idle();
    // Control requests are applied until the last body has ended: a caller that cancels a run need not wait for the drain.
    await executor.drain(drainMs);
    await lease.leave();
  }
}
