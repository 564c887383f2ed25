/**
 * The slots of limits that the runs of a runner need.
 *
 * A unit that finds no free slot waits in the store, and its run may be released. Its permit is the truth: the owner of
 * the run asks for it again when the run is loaded, and when it is notified that something has changed.
 *
 * @module
 */
import type { Clock } from "../../clock.ts";
import type { Logger } from "../../logger.ts";
import type {
  Granted,
  HeldStart,
  LimitAnswer,
  LimitRule,
  LimitStore,
  PermitAsk,
  PermitHolder,
} from "../../store/port/limits.ts";
import { permitKey } from "../../store/shared/run_limits.ts";
import { nodeOf } from "../runs/attempt.ts";
import { type Attempt, type LiveRun, type LiveUnit, unitsOf } from "../runs/live_run.ts";
import type { MachineEvent } from "../machine/machine_protocol.ts";
import { waitsForPermit } from "../machine/run_state.ts";
import { replacedBy } from "./admit_runs.ts";
import { createLimitPolls } from "./limit_polls.ts";
import { createPermitExchange, type PermitBatch } from "./permit_exchange.ts";
import { isLasting, isLimited, requestPermit } from "./permit_request.ts";
import { createStartTimers } from "./start_timers.ts";

/** What permits need of a runner. */
export interface PermitsOptions {
  readonly limits: LimitStore;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The store's time. */
  readonly now: () => number;
  /** The limits of the runner's workflows. */
  readonly rules: readonly LimitRule[];
  /** The id of the runner. */
  readonly runner: () => number;
  /** Passes an event to the state machine of a run. */
  readonly apply: (run: LiveRun, event: MachineEvent<LiveUnit>) => void;
  /** The unit of an attempt that has requested its slots has them. */
  readonly granted: (attempt: Attempt) => void;
  /** The unit of an attempt that has requested its slots waits: the attempt is over. */
  readonly refused: (attempt: Attempt) => void;
  /** The function of a limit has thrown: the attempt has failed. */
  readonly failed: (attempt: Attempt, thrown: unknown) => void;
  /** Runs have become due. */
  readonly admitted: () => void;
  /** Cancels a run that a newer one replaces. */
  readonly cancel: (runId: string, reason: string) => Promise<void>;
}

/** How a run leaves memory. */
export type PermitExit = "ended" | "compensating" | "released";

/** The permits of a runner's runs. */
export interface Permits {
  /** The runner has its lease, and the limits of its workflows are deployed. */
  begin(): Promise<void>;
  /** Returns whether the unit of an attempt needs slots of limits, or has them. */
  stateOf(attempt: Attempt): "none" | "needed" | "granted";
  /** Requests slots for the unit of an attempt that can begin at once. */
  request(attempt: Attempt): void;
  /** A unit that was granted its slots cannot begin: others get them, and it keeps its turn until it requests them again. */
  postpone(unit: LiveUnit): void;
  /** A unit waits for its slots, in a run that was loaded or resumed. */
  watch(unit: LiveUnit): void;
  /** A body begins. */
  began(attempt: Attempt): void;
  /** A unit needs its slots no more. */
  leave(unit: LiveUnit): void;
  /** A run is in memory. */
  adopted(run: LiveRun): void;
  /** A run has left memory. */
  left(run: LiveRun, as: PermitExit): void;
  /** Asks again for units that wait: an exchange of another process may have granted them their slots. */
  recheck(): void;
  /** Something was changed by others: runs may request their slots, or have ended. */
  look(): void;
  /** Admits runs that this process has inserted; resolves with the limits that refused some of them, by id. */
  admit(runIds: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** Ends all timers, and leaves the starts to others. */
  stop(): Promise<void>;
}

/** Creates the permits of a runner without runs. */
export function createPermits(options: PermitsOptions): Permits {
  const { limits, clock, logger, now, apply } = options;
  /** Units that ask or wait, by `permitKey()`. */
  const open = new Map<string, LiveUnit>();
  const exchange = createPermitExchange({ limits, clock, logger, runner: options.runner, answered });
  const timers = createStartTimers(options.rules, { clock, over: endStart });
  const polls = createLimitPolls({
    limits,
    clock,
    now,
    runner: options.runner,
    granted: recheck,
    stale: recover,
    gated: recover,
    failed: exchange.report,
  });
  return {
    async begin() {
      // Runs may still wait for the limits of an earlier version.
      if (options.rules.length === 0 && (await limits.rules()).length === 0) return;
      exchange.begin();
      polls.begin();
    },
    stateOf({ unit, wokenBy }) {
      if (wokenBy !== undefined || !isLimited(unit)) return "none";
      return unit.permit?.state === "granted" ? "granted" : "needed";
    },
    request(attempt) {
      const { unit } = attempt;
      requestPermit(attempt, options.failed, (request) => {
        unit.permit = { state: "asking", isOutdated: false, starts: [] };
        open.set(permitKey(holderOf(unit)), unit);
        ask(unit, request);
      });
    },
    postpone(unit) {
      const { starts } = unit.permit!;
      close(unit);
      exchange.next.postponed.push(holderOf(unit));
      endUnbegun(starts);
      exchange.schedule();
    },
    watch(unit) {
      if (unit.permit !== undefined) return;
      unit.permit = { state: "checking", isOutdated: false, starts: [] };
      open.set(permitKey(holderOf(unit)), unit);
      check(unit);
    },
    began({ unit: { permit, run } }) {
      const { starts = [] } = permit ?? {};
      if (permit !== undefined) permit.starts = [];
      timers.began(starts, run.starts);
    },
    leave,
    adopted(run) {
      if (!run.plan.workflow.limits.some(({ perMs }) => perMs !== undefined)) return;
      run.starts = { starts: undefined, beganAt: undefined };
      exchange.next.begun.set(run.seq, run.starts);
      exchange.schedule();
    },
    left,
    recheck,
    look: polls.look,
    admit(runIds) {
      const admission = Promise.withResolvers<ReadonlyMap<string, string>>();
      exchange.next.started.push(...runIds);
      exchange.next.admissions.push(admission);
      exchange.schedule();
      return admission.promise;
    },
    async stop() {
      polls.stop();
      await exchange.stop(timers.stop());
    },
  };

  function ask(unit: LiveUnit, request: PermitAsk["request"]): void {
    unit.run.hasPermits = true;
    const holder = holderOf(unit);
    const { priority } = unit.run;
    exchange.next.asks.set(permitKey(holder), { ...holder, request, priority, isLasting: isLasting(unit) });
    exchange.schedule();
  }

  /** Asks what has become of a unit that waits. */
  function check(unit: LiveUnit): void {
    ask(unit, undefined);
  }

  function recheck(): void {
    for (const unit of open.values()) {
      if (unit.permit?.state === "waiting") check(unit);
      // The answer that it waits for may be older than the grant.
      else if (unit.permit !== undefined) unit.permit.isOutdated = true;
    }
  }

  function leave(unit: LiveUnit): void {
    const { permit } = unit;
    if (permit === undefined && !isLasting(unit)) return;
    close(unit);
    exchange.next.releases.push(holderOf(unit));
    endUnbegun(permit?.starts ?? []);
    exchange.schedule();
  }

  /** Ends starts of bodies that have not begun. */
  function endUnbegun(starts: readonly HeldStart[]): void {
    for (const { seq } of starts) exchange.next.over.push(seq);
  }

  /** A unit neither asks nor waits any more. */
  function close(unit: LiveUnit): void {
    const key = permitKey(holderOf(unit));
    unit.permit = undefined;
    open.delete(key);
    exchange.next.asks.delete(key);
  }

  function left(run: LiveRun, as: PermitExit): void {
    if (!run.plan.isLimited && !run.hasPermits) return;
    for (const unit of unitsOf(run)) {
      const { permit } = unit;
      if (permit === undefined) continue;
      close(unit);
      if (as === "compensating") exchange.next.releases.push(holderOf(unit));
      if (as !== "released") endUnbegun(permit.starts);
      // Its next owner takes what it was granted. One that was refused meanwhile waits in the store.
      else if (permit.state !== "waiting" && !isLasting(unit)) giveBack(holderOf(unit), permit.starts);
    }
    if (as === "ended") exchange.next.ended.push(run.seq);
    exchange.schedule();
  }

  function endStart(seq: number): void {
    exchange.next.over.push(seq);
    exchange.schedule();
  }

  function recover(): void {
    exchange.next.recovers = true;
    exchange.schedule();
  }

  function answered(answer: LimitAnswer, { asks, begun, admissions }: PermitBatch): void {
    timers.takeOver(answer.takenOver);
    for (const [seq, starts] of answer.begun) {
      const run = begun.get(seq)!;
      run.starts = starts;
      timers.beginRun(run);
    }
    const rejected = new Map(answer.rejected.map(({ id, limit }) => [id, limit]));
    for (const admission of admissions) admission.resolve(rejected);
    const granted = new Set(answer.granted.map(permitKey));
    for (const permit of answer.granted) grant(permit);
    for (const holder of answer.unknown) askAnew(open.get(permitKey(holder)));
    for (const [key, { request }] of asks) if (!granted.has(key)) refuse(open.get(key), request);
    for (const { id, limit, by } of answer.replaced) {
      void options.cancel(id, replacedBy(by, limit)).then(recover, exchange.report);
    }
    if (answer.isDue) options.admitted();
    polls.lookAt(answer.nextAt);
  }

  function giveBack(holder: PermitHolder, starts: readonly HeldStart[]): void {
    exchange.next.untaken.push(holder);
    exchange.next.unbegun.push(...starts.map(({ seq }) => seq));
    exchange.schedule();
  }

  function grant({ starts, ...holder }: Granted): void {
    const key = permitKey(holder);
    const unit = open.get(key);
    const permit = unit?.permit;
    const hasLeft = exchange.next.asks.get(key)?.request !== undefined;
    // It has left since. If it asks anew, the next exchange releases this permit first.
    if (unit === undefined || permit === undefined || hasLeft) return giveBack(holder, starts);
    const isAsking = permit.state === "asking";
    const { attempt } = unit;
    open.delete(key);
    exchange.next.asks.delete(key);
    permit.starts = starts;
    permit.state = "granted";
    if (isAsking && attempt?.stage === "loading") options.granted(attempt);
    else if (waitsForPermit(unit)) wake(unit);
    else leave(unit);
  }

  /** A unit that waits has no permit in the store: its attempt begins, and asks anew. */
  function askAnew(unit: LiveUnit | undefined): void {
    if (unit?.permit === undefined || unit.permit.state === "asking") return;
    close(unit);
    if (waitsForPermit(unit)) wake(unit);
  }

  function wake(unit: LiveUnit): void {
    apply(unit.run, { type: "woken", unit, by: "permit", isInFlight: unit.isWaitInFlight });
  }

  /** A unit was granted nothing: it waits. */
  function refuse(unit: LiveUnit | undefined, request: PermitAsk["request"]): void {
    const { permit, attempt } = unit ?? {};
    if (unit === undefined || permit === undefined) return;
    if (permit.isOutdated && permit.state !== "granted") {
      permit.isOutdated = false;
      check(unit);
    }
    if (permit.state === "checking") permit.state = "waiting";
    if (permit.state !== "asking" || request === undefined) return;
    permit.state = "waiting";
    if (attempt?.stage === "loading") {
      options.refused(attempt);
      apply(unit.run, { type: "held", unit });
    }
    // The failure of another item has stopped its map, or its run is over.
    if (!waitsForPermit(unit)) leave(unit);
  }
}

function holderOf(unit: LiveUnit): PermitHolder {
  return { run: unit.run.seq, task: nodeOf({ unit }).id, item: unit.item };
}
