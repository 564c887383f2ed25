import type { Clock } from "../../clock.ts";
import { RunCancelledError, RunTimeoutError } from "../../errors.ts";
import type { Logger } from "../../logger.ts";
import type { Message } from "../../store/port/messages.ts";
import type { ControlRequest } from "../../store/port/control.ts";
import type { Store } from "../../store/port/store.ts";
import type { InboxEntry } from "../../store/port/runners.ts";
import { type Arrivals, type ArrivalSources, readArrivals } from "../children/arrivals.ts";
import { toErrorRecord } from "../errors/error_record.ts";
import type { ChildOutcome } from "../runs/child_outcome.ts";
import { childWaitsOf, endsWithChild, keepChild, waitingForChild } from "../children/child_runs.ts";
import { type ChildRequests, createChildRequests } from "../runs/child_requests.ts";
import { nodeOf } from "../runs/attempt.ts";
import type { Closing } from "../runs/closing.ts";
import { itemFailed } from "../runs/expanded_unit.ts";
import { logFailedCall } from "../errors/failed_call.ts";
import { type LiveRun, type LiveUnit, type RunTimer, unitAt } from "../runs/live_run.ts";
import { hasMessage, receive } from "../runs/run_messages.ts";
import type { MachineEvent } from "../machine/machine_protocol.ts";

/** Bodies get so long to settle after they were aborted. */
export const GRACE_MS = 5_000;

/** What the control of runs needs of an executor. */
export interface RunControlOptions extends ArrivalSources {
  /** The runs in memory, by number. */
  readonly runs: ReadonlyMap<number, LiveRun>;
  readonly clock: Clock;
  /** The store's time. */
  readonly now: () => number;
  readonly logger: Logger;
  /** Applies a control request to the child runs of a run. */
  readonly controlChildren: Store["controlChildren"];
  /** A control request was applied to the child runs of a run. */
  readonly controlled: (run: LiveRun) => void;
  /** Resolves when what was written of a run in this turn is durable. */
  readonly durable: (run: LiveRun) => Promise<void>;
  /** Passes an event to the state machine and carries out its commands. */
  readonly apply: (run: LiveRun, event: MachineEvent<LiveUnit>) => void;
  /** Ends an item with its child run. */
  readonly settleChild: (unit: LiveUnit, outcome: ChildOutcome) => void;
  /** Gives up the attempts of a run that wait for a slot. */
  readonly abandonQueued: (run: LiveRun) => void;
  /** Acknowledges the changes from outside that were applied. */
  readonly acknowledge: (run: LiveRun) => void;
}

/** Applies to runs in memory what reaches them from outside: cancel, pause, resume, messages and their deadline. */
export interface RunControl {
  /** Starts a run that was loaded, unless its deadline has passed. */
  begin(run: LiveRun): void;
  /** A child run of a run in memory has ended. */
  childEnded(parent: LiveRun, outcome: ChildOutcome): void;
  /** Cancels the child runs of the items of a node, of which another item has failed. */
  cancelChildren(run: LiveRun, node: LiveUnit): void;
  /** Reads how child runs have ended that a run waits for. */
  readChildren(run: LiveRun): void;
  /** Applies changes from outside, and acknowledges them; resolves once messages have been read. */
  applyChanges(inbox: readonly InboxEntry[]): Promise<void>;
}

/** A control for the runs of an executor. */
export function createRunControl(options: RunControlOptions): RunControl {
  const { runs, clock, now, apply } = options;
  // Changes of runs that are not in memory: a claim or a start is in flight that will bring them.
  let early = new Map<number, InboxEntry>();
  return {
    begin(run) {
      // Before any of its tasks starts again.
      if (run.deadlineAt !== undefined && run.deadlineAt <= now()) return timeOut(run);
      if (run.deadlineAt !== undefined) setDeadline(run, run.deadlineAt);
      const change = early.get(run.seq);
      if (change !== undefined) void applyAll([change]);
      apply(run, { type: "started" });
    },
    childEnded: (parent, outcome) => deliverOutcomes(parent, [outcome]),
    cancelChildren: (run, node) => void cancelItems(run, node),
    readChildren: (run) => void readOutcomes(run),
    applyChanges(inbox) {
      early = new Map(inbox.filter(({ seq }) => !runs.has(seq)).map((change) => [change.seq, change]));
      return applyAll(inbox);
    },
  };

  async function applyAll(changes: readonly InboxEntry[]): Promise<void> {
    const withMail: InboxEntry[] = [];
    for (const change of changes) {
      const run = runs.get(change.seq);
      if (run === undefined || change.attention <= run.seen) continue;
      if (change.hasMessages || run.hasChildren) withMail.push(change);
      else applyChange(run, change);
    }
    if (withMail.length > 0) await receiveAll(withMail);
  }

  /**
   * Changes are applied after messages and ends of child runs have been read: a run that is released in the meantime has
   * not seen them, so the store makes it due at once.
   */
  async function receiveAll(changes: readonly InboxEntry[]): Promise<void> {
    const loaded = new Map(changes.map(({ seq }) => [seq, runs.get(seq)!]));
    const addressees = changes.map((change) => ({ ...change, childWaits: childWaitsOf(loaded.get(change.seq)!) }));
    let arrivalsOf: (seq: number) => Arrivals;
    try {
      arrivalsOf = await readArrivals(addressees, options);
    } catch (error) {
      const message = "Cannot read messages and child runs of runs; retrying with the next renewal of the lease";
      logFailedCall(options.logger, message, error);
      return;
    }
    for (const change of changes) {
      const run = loaded.get(change.seq);
      // It may have left memory, and may be in memory again.
      if (run === undefined || run.gone) continue;
      const { messages, outcomes } = arrivalsOf(run.seq);
      // A child run may have been cancelled with its parent.
      if (change.cancel !== undefined) applyChange(run, change);
      if (messages.length > 0) deliver(run, messages);
      deliverOutcomes(run, outcomes);
      applyChange(run, change);
    }
  }

  function deliverOutcomes(run: LiveRun, outcomes: readonly ChildOutcome[]): void {
    for (const outcome of outcomes) {
      const unit = waitingForChild(run, outcome);
      if (unit === undefined) {
        keepForCheck(run, outcome);
        continue;
      }
      if (endsWithChild(unit)) {
        options.settleChild(unit, outcome);
        continue;
      }
      keepChild(unit, outcome);
      apply(run, { type: "woken", unit, by: "child", isInFlight: unit.isWaitInFlight });
    }
  }

  /** A unit that was woken by its time reads whether its child run has ended, and may have read it before the end. */
  function keepForCheck(run: LiveRun, outcome: ChildOutcome): void {
    const unit = unitAt(run, outcome.task, outcome.item);
    if (unit?.state === "running" && unit.wake?.child === true && unit.wokenBy === "time") keepChild(unit, outcome);
  }

  function deliver(run: LiveRun, messages: readonly Message[]): void {
    receive(run, messages);
    for (const { task, item } of messages) {
      const unit = unitAt(run, task, item);
      if (unit === undefined || unit.wake?.message !== true || !hasMessage(unit)) continue;
      apply(run, { type: "woken", unit, by: "message", isInFlight: unit.isWaitInFlight });
    }
  }

  function applyChange(run: LiveRun, { attention, cancel, paused }: InboxEntry): void {
    if (attention <= run.seen) return;
    // The write that takes the run out of memory is in flight. The store compares `attention` then: the run is due.
    if (run.isLeaving) return void (run.isChangedLate = true);
    run.seen = attention;
    if (paused) pause(run);
    else if (run.pausedAt !== undefined) resume(run, run.pausedAt);
    if (cancel !== undefined) {
      const cause = new RunCancelledError(run.id, cancel.reason);
      close(run, "cancelled", { cause, reason: cancel.reason, error: undefined, compensate: cancel.compensate });
    }
    options.acknowledge(run);
  }

  function pause(run: LiveRun): void {
    const isNew = run.pausedAt === undefined;
    run.pausedAt ??= now();
    run.timers?.get("deadline")?.();
    apply(run, { type: "paused" });
    options.abandonQueued(run);
    if (isNew && run.hasChildren) void controlChildren(run, { kind: "pause", reason: undefined });
  }

  // The time of a paused run stands still.
  function resume(run: LiveRun, pausedAt: number): void {
    run.pausedAt = undefined;
    // The row of an owned run says so once it is resumed.
    run.stored = "running";
    if (run.deadlineAt !== undefined) setDeadline(run, run.deadlineAt += now() - pausedAt);
    apply(run, { type: "resumed" });
    if (run.hasChildren) void controlChildren(run, { kind: "resume" });
  }

  /**
   * Applies a request to the child runs of a run, or of one of its tasks; resolves once that is durable. A request to the
   * run itself reached the children that there were when it was written; this reaches those that were started before it
   * was applied here. Nothing else would reach them, so a request that fails is repeated.
   */
  function controlChildren(run: LiveRun, request: ControlRequest, task?: string): Promise<void> {
    const ofTasks = run.childRequests ??= new Map();
    let requests = ofTasks.get(task);
    if (requests === undefined) ofTasks.set(task, requests = requestsTo(run, task));
    return requests.send(request);
  }

  function requestsTo(run: LiveRun, task: string | undefined): ChildRequests {
    const what = task === undefined ? `run "${run.id}"` : `task "${task}" of run "${run.id}"`;
    return createChildRequests({
      async apply(request) {
        await options.durable(run);
        await options.controlChildren(run.seq, request, task);
        options.controlled(run);
      },
      failed(request, error) {
        const message = `Cannot ${request.kind} the child runs of ${what}; retrying`;
        logFailedCall(options.logger, message, error);
      },
      isGone: () => run.gone,
      after: (ms, fire) => clock.after(ms, fire),
    });
  }

  function timeOut(run: LiveRun): void {
    const cause = new RunTimeoutError(run.id, run.timeoutMs ?? 0);
    close(run, "failed", { cause, reason: undefined, error: toErrorRecord(cause), compensate: true });
  }

  function close(run: LiveRun, as: "cancelled" | "failed", closing: Closing): void {
    if (run.isLeaving || run.closing !== undefined || run.state.phase === "ended") return;
    run.closing = closing;
    if (run.hasChildren) void cancelChildren(run, closing);
    else startGrace(run);
    apply(run, { type: "stopRequested", as });
  }

  /** A run that stops waits for its child runs; it does not end before their cancel is durable. */
  async function cancelChildren(run: LiveRun, { cause, compensate }: Closing): Promise<void> {
    await controlChildren(run, { kind: "cancel", reason: cause.message, compensate });
    if (run.gone) return;
    startGrace(run);
    // Those that had no owner have ended with the request.
    await readOutcomes(run);
  }

  async function cancelItems(run: LiveRun, node: LiveUnit): Promise<void> {
    await controlChildren(run, { kind: "cancel", reason: itemFailed(node).message }, nodeOf({ unit: node }).id);
    // Those that had no owner have ended with the request.
    if (!run.gone) await readOutcomes(run);
  }

  async function readOutcomes(run: LiveRun): Promise<void> {
    try {
      deliverOutcomes(run, await options.children.read(childWaitsOf(run)));
    } catch (error) {
      logFailedCall(options.logger, `Cannot read the child runs of run "${run.id}"`, error);
    }
  }

  function startGrace(run: LiveRun): void {
    setTimer(run, "grace", GRACE_MS, () => apply(run, { type: "graceElapsed" }));
  }

  function setDeadline(run: LiveRun, at: number): void {
    setTimer(run, "deadline", at - now(), () => timeOut(run));
  }

  function setTimer(run: LiveRun, name: RunTimer, ms: number, fire: () => void): void {
    run.timers ??= new Map();
    run.timers.get(name)?.();
    run.timers.set(name, clock.after(Math.max(0, ms), fire));
  }
}
