/**
 * Executes the runs this process owns: it passes events to the state machine and carries out its commands, with slots for
 * bodies, timers and the recorder.
 *
 * The order of things: an end is recorded, and only when the record is durable are hooks called, dependents started and
 * waiters notified.
 *
 * @module
 */
import { type AttemptEnd, hasNotBegun, newAttempt, nodeOf } from "../runs/attempt.ts";
import { createIds } from "../../ids.ts";
import { type Attempt, type LiveRun, type LiveUnit, unitsOf } from "../runs/live_run.ts";
import { tracedRun } from "../telemetry/traced_run.ts";
import type { EngineEvent } from "../telemetry/engine_events.ts";
import { advance } from "../machine/machine.ts";
import type { Command, MachineEvent } from "../machine/machine_protocol.ts";
import { drainSlots } from "./drain.ts";
import { concludeExpansion, itemFailed, keepItem } from "../runs/expanded_unit.ts";
import { createInputLoader } from "./input_loader.ts";
import type { Executor, ExecutorOptions } from "./executor_options.ts";
import { isLasting, isLimited } from "../limits/permit_request.ts";
import { createPermits } from "../limits/permits.ts";
import { createParking } from "./parking.ts";
import { relationsOf } from "./relations.ts";
import { createRecorder } from "./recorder.ts";
import { createRunControl } from "./run_control.ts";
import { endMove } from "../runs/run_end.ts";
import { createRunExits } from "./run_exits.ts";
import { hasEnded, NO_ITEM, type WokenBy } from "../machine/run_state.ts";
import { giveUp, settleAttempt, settleChild, type SettlePort } from "./settle_attempt.ts";
import { runStep } from "./steps.ts";
import { startFromTask } from "./task_starts.ts";
import { createTaskSlots } from "./task_slots.ts";
import { reportEnd } from "./unit_end.ts";
import { runTransaction } from "./transactions.ts";
import { createUnitWaits } from "./unit_waits.ts";

/** One for all: it is emitted for each attempt. */
const CAPACITY_RELEASED: EngineEvent = { type: "capacityReleased", dueAt: undefined };

/** An executor without runs. */
export function createExecutor(options: ExecutorOptions): Executor {
  const { store, clock, now, logger, committer, emit, concurrency, maxRuns } = options;
  const runs = new Map<number, LiveRun>();
  let reserved = 0;
  let isStopping = false;
  let quiet: (() => void) | undefined;
  const recorder = createRecorder({
    committer,
    clock,
    now,
    active: () => slots.active,
    durable,
    waitDurable(unit) {
      waits.durable(unit);
      // Its child run may have ended after its state was read and before the unit waited.
      if (unit.run.compensation !== undefined && unit.wake?.child === true) control.readChildren(unit.run);
    },
    ownChildren: options.ownChildren,
    spawned: (run) => emit({ type: "childrenStarted", run }),
    touched: (run) => emit({ type: "runChanged", runId: run.id }),
    left: (run, move, parent) => exits.leave(run, move, parent),
    parentOf: ({ parent }) => parent === undefined ? undefined : runs.get(parent.run),
    gaveUp: (run, error) => exits.giveUp(run, error),
    lost: (run) => exits.lose(run),
  });
  const slots = createTaskSlots({
    ...options,
    tenant: store.tenant,
    permitOf: (attempt) => attempt.unit.run.plan.isLimited ? permits.stateOf(attempt) : "none",
    requestPermit: (attempt) => permits.request(attempt),
    postponePermit: ({ unit }) => permits.postpone(unit),
    began,
    conditionPassed(unit) {
      apply(unit.run, { type: "conditionPassed", unit });
      return recorder.durable(unit.run);
    },
    markStarted(attempt) {
      attempt.isMarked = true;
      recorder.record(attempt.unit);
      return recorder.durable(attempt.unit.run);
    },
    transact: (attempt, body) => runTransaction(attempt, body, store.transact, now),
    newId: createIds(),
    currentTrace: options.tracing?.currentContext ?? (() => undefined),
    ...relationsOf(options),
    ended,
    step: (attempt, call) => runStep(attempt, call, { recorder, ...options }),
    start: (attempt, request) => startFromTask(attempt, request, { starter: options.starter, recorder, now }),
    progress(attempt, progress) {
      attempt.progress = JSON.stringify(progress);
      attempt.isMarked = false;
      recorder.watch();
      emit({ type: "attemptProgressed", attempt, progress });
    },
  });
  const loader = createInputLoader(options);
  const permits = createPermits({
    ...options,
    limits: store.limits,
    rules: options.limitRules,
    apply,
    granted: slots.permitted,
    refused: slots.drop,
    failed(attempt, thrown) {
      slots.drop(attempt);
      ended(attempt, { kind: "failed", thrown });
    },
    admitted: () => emit({ type: "runsAdmitted" }),
  });
  const waits = createUnitWaits({ clock, now, apply, record: recorder.record, emit, watchPermit: permits.watch });
  const parking = createParking({ clock, now, maxRuns, move: recorder.move });
  const exits = createRunExits({
    ...options,
    runs,
    slots,
    released,
    childEnded: (parent, outcome) => control.childEnded(parent, outcome),
    forgotten(run, as) {
      parking.forget(run);
      permits.left(run, as);
    },
  });
  const control = createRunControl({
    runs,
    clock,
    now,
    logger,
    messages: store.messages,
    children: options.children,
    controlChildren: store.controlChildren,
    controlled: (run) => emit({ type: "childrenControlled", run }),
    durable: recorder.durable,
    apply,
    settleChild: (unit, outcome) => settleChild(unit, outcome, port),
    abandonQueued,
    acknowledge: recorder.acknowledge,
  });
  const port: SettlePort = {
    apply,
    durable,
    record: recorder.record,
    lose: exits.lose,
    emit,
    logger,
    now,
    random: options.random,
  };
  return {
    get size() {
      return runs.size;
    },
    get room() {
      return room();
    },
    get capacity() {
      return Math.min(room(), concurrency - slots.taken - slots.queued - reserved);
    },
    get reserved() {
      return reserved;
    },
    reserve: (count) => void (reserved += count),
    unreserve: (count) => void (reserved -= count),
    holds: (seq) => runs.has(seq),
    get ids() {
      return new Set([...runs.values()].map((run) => run.id));
    },
    get load() {
      return { active: slots.active.length, queued: slots.queued };
    },
    get crashes() {
      return [...runs.values()].map((run) => run.crashes);
    },
    isQueued(runId, taskId) {
      const run = [...runs.values()].find(({ id }) => id === runId);
      return run !== undefined &&
        [...unitsOf(run)].some((unit) => unit.attempt?.stage === "queued" && nodeOf({ unit }).id === taskId);
    },
    adopt,
    applyChanges: control.applyChanges,
    checkOwned: exits.checkOwned,
    abandonAll: exits.abandonAll,
    loseAll() {
      for (const run of [...runs.values()]) exits.lose(run);
    },
    resume: slots.resume,
    permits,
    drain,
  };

  function room(): number {
    return maxRuns - (runs.size - parking.kept) - reserved;
  }

  /** A slot or a place in memory was released, of a run that is due at that time if it waits. */
  function released(dueAt: number | undefined): void {
    emit(dueAt === undefined ? CAPACITY_RELEASED : { type: "capacityReleased", dueAt });
  }

  function adopt(run: LiveRun): void {
    if (isStopping) return;
    runs.set(run.seq, run);
    if (options.tracing !== undefined) run.trace = options.tracing.startRun(tracedRun(run));
    emit({ type: "runLoaded", run });
    permits.adopted(run);
    control.begin(run);
  }

  /** Passes an event of a run to the state machine and carries out its commands. */
  function apply(run: LiveRun, event: MachineEvent<LiveUnit>): void {
    if (run.gone || run.isLeaving) return;
    const commands = advance(run.plan, run.state, event);
    for (let place = 0; place < commands.length; place++) perform(run, commands.at(place)!);
  }

  function perform(run: LiveRun, command: Command<LiveUnit>): void {
    switch (command.do) {
      case "start":
        return begin(command.unit, undefined);
      case "continue":
        return begin(command.unit, command.by);
      case "record":
        return record(command.unit);
      case "wait":
        return waits.arm(command.unit);
      case "park":
        return parking.park(run, command.at);
      case "release":
        return recorder.move(run, { to: "pending" });
      case "abort":
        return command.unit === undefined ? abortAll(run) : abort(command.unit.attempt, itemFailed(command.unit));
      case "cancelChildren":
        return control.cancelChildren(run, command.unit);
      case "end":
        return recorder.move(run, endMove(run, command.as, now()));
    }
  }

  function record(unit: LiveUnit): void {
    if (unit.item !== NO_ITEM && hasEnded(unit)) keepItem(unit);
    if (unit.run.plan.isLimited && hasEnded(unit) && isLimited(unit)) permits.leave(unit);
    if (unit.attempt?.isRecorded === true) return;
    if (unit.expansion !== undefined && hasEnded(unit)) concludeExpansion(unit, nodeOf({ unit }).id, now());
    recorder.record(unit);
  }

  function begin(unit: LiveUnit, wokenBy: WokenBy | undefined): void {
    const attempt = unit.attempt = newAttempt(unit, wokenBy);
    if (isStopping || unit.run.gone) return abandon(attempt);
    // The limit bounds child runs, and this one has ended.
    if (wokenBy === "child" && unit.run.plan.isLimited && isLimited(unit)) permits.leave(unit);
    loader.load(attempt, slots.queue);
  }

  function began(attempt: Attempt): void {
    // The continuation of a unit that has waited is no attempt of its own.
    if (attempt.wokenBy !== undefined) return;
    if (attempt.unit.run.plan.isLimited) permits.began(attempt);
    attempt.unit.startedAt = attempt.startedAt;
    emit({ type: "attemptStarted", attempt });
    recorder.watch();
  }

  function ended(attempt: Attempt, end: AttemptEnd): void {
    const { unit } = attempt;
    if (!unit.run.gone) settleAttempt(attempt, end, port);
    // The child run of a task continues.
    if (unit.permit !== undefined && !(unit.state === "waiting" && unit.isSuspended && isLasting(unit))) {
      permits.leave(unit);
    }
    released(undefined);
    if (slots.active.length === 0) quiet?.();
  }

  function abandon(attempt: Attempt): void {
    const { unit, stage } = attempt;
    slots.drop(attempt);
    if (unit.permit !== undefined) permits.leave(unit);
    if (stage === "running") giveUp(attempt, port);
    else apply(unit.run, { type: "abandoned", unit });
  }

  function abortAll(run: LiveRun): void {
    for (const { attempt } of unitsOf(run)) abort(attempt, run.closing?.cause);
  }

  function abort(attempt: Attempt | undefined, cause: unknown): void {
    if (attempt?.stage === "running") slots.abort(attempt, cause);
    if (attempt !== undefined && hasNotBegun(attempt)) abandon(attempt);
  }

  function abandonQueued(run: LiveRun): void {
    for (const { attempt } of [...unitsOf(run)]) if (attempt !== undefined && hasNotBegun(attempt)) abandon(attempt);
  }

  /** The end of a unit, or its expansion, is durable. */
  function durable(unit: LiveUnit, tookMs: number | undefined): void {
    if (unit.state !== "expanded") reportEnd(unit, tookMs, options);
    apply(unit.run, { type: "durable", unit });
  }

  async function drain(timeoutMs: number): Promise<void> {
    isStopping = true;
    for (const run of runs.values()) abandonQueued(run);
    await drainSlots({ slots, clock, timeoutMs, onIdle, abandon });
    await committer.idle();
    for (const run of runs.values()) parking.handBack(run);
    await committer.idle();
    recorder.stop();
    loader.stop();
    slots.stop();
    await exits.forgetAll();
    await permits.stop();
  }

  function onIdle(settled: () => void): () => void {
    quiet = settled;
    return () => void (quiet = undefined);
  }
}
