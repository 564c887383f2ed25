/**
 * The types of the operations on limits.
 *
 * A *lane* counts the slots of one key of a limit. A *permit* is a slot of a unit (a task or an item), or of a whole run,
 * in all lanes that its limits name: it waits until each of them has a free slot, and then holds them. What waits for the
 * same lanes is a *queue*. In a lane with a limit of rate, a *start* keeps the slot, from the grant until the period
 * after the beginning of the body is over.
 *
 * @module
 */

/** The number of slots that a limit has. */
export interface LimitRule {
  /** The name of the limit. */
  readonly name: string;
  /** How many slots each of its lanes has. */
  readonly max: number;
  /** For a limit of rate, how long a start keeps its slot, in milliseconds. */
  readonly perMs: number | undefined;
}

/** A lane: a limit, and the path of a key. */
export interface LaneRef {
  /** The name of the limit. */
  readonly limit: string;
  /** Whether the limit is one of rate. */
  readonly isRate: boolean;
  /** The key; empty for a limit without keys. */
  readonly key: readonly string[];
}

/** The slots that something needs. */
export interface PermitRequest {
  /** The lanes, one for each limit. */
  readonly lanes: readonly LaneRef[];
  /** The share of its key, where several keys wait for one lane. */
  readonly weight: number;
}

/** A unit of a run, or the run itself. */
export interface PermitHolder {
  /** The number of the run. */
  readonly run: number;
  /** The task; `""` for the run itself. */
  readonly task: string;
  /** The item; -1 for a task or a run. */
  readonly item: number;
}

/** What a unit asks for. */
export interface PermitAsk extends PermitHolder {
  /** The slots that it needs; `undefined` if it has asked before and only wants to know. */
  readonly request: PermitRequest | undefined;
  /** The priority of its run. */
  readonly priority: number;
  /** Whether the slots belong to the run and not to its runner: a child run continues when the runner has died. */
  readonly isLasting: boolean;
}

/** What becomes of a run whose start finds no free slot. */
export type WhenFull = "wait" | "reject" | "replace";

/** The slots that a run needs, as its row holds them. */
export interface RunLimits extends PermitRequest {
  /** What becomes of the run if it finds no slot. */
  readonly whenFull: WhenFull;
}

/** A start that keeps a slot of a limit of rate. */
export interface HeldStart {
  /** Its number. */
  readonly seq: number;
  /** The name of the limit. */
  readonly limit: string;
}

/** A permit that was granted. */
export interface Granted extends PermitHolder {
  /** The starts that the holder has to end when their periods are over. */
  readonly starts: readonly HeldStart[];
}

/** A start that another runner has left behind. */
export interface LeftStart extends HeldStart {
  /** How long it keeps its slot, in milliseconds. */
  readonly leftMs: number;
}

/** A change of permits, all in one transaction. */
export interface LimitExchange {
  /** The runner that asks; `undefined` for a client. */
  readonly runner: number | undefined;
  /** What units ask for. @default {[]} */
  readonly asks?: readonly PermitAsk[];
  /** Units that need no permit any more, whether they hold one or wait. @default {[]} */
  readonly releases?: readonly PermitHolder[];
  /** Units that cannot use the slots that they were granted yet: others get these, and the units keep their turn. @default {[]} */
  readonly postponed?: readonly PermitHolder[];
  /** Units that were granted their slots and do not take them here: their runs are made due if they have no owner. @default {[]} */
  readonly untaken?: readonly PermitHolder[];
  /** Starts that were granted to these units, of bodies that have not begun: the next owner takes them. @default {[]} */
  readonly unbegun?: readonly number[];
  /** Runs that have ended: all of their permits are released. @default {[]} */
  readonly ended?: readonly number[];
  /** Starts whose periods are over. @default {[]} */
  readonly over?: readonly number[];
  /** Runs that begin here: the runner takes over their starts. @default {[]} */
  readonly begun?: readonly number[];
  /** Starts that the runner leaves to others, as it stops. @default {[]} */
  readonly left?: readonly LeftStart[];
  /** Runs that were just inserted, by id: a run that finds no slot and does not wait is deleted. @default {[]} */
  readonly started?: readonly string[];
  /** Whether permits of dead runners and of runs that have ended are released, and their starts taken over. @default {false} */
  readonly recovers?: boolean;
  /** Whether lanes and queues that nothing uses are deleted, some at a time. @default {false} */
  readonly tidies?: boolean;
}

/** The result of an exchange. */
export interface LimitAnswer {
  /** Permits of units that this runner asked for now, or that wait in runs which it owns. */
  readonly granted: readonly Granted[];
  /** Units that asked without a request and have no permit: they have to ask again. */
  readonly unknown: readonly PermitHolder[];
  /** The starts of runs that begin here. */
  readonly begun: ReadonlyMap<number, readonly HeldStart[]>;
  /** Starts that this runner has taken over. */
  readonly takenOver: readonly LeftStart[];
  /** Runs that did not find a slot and were deleted, with the limit. */
  readonly rejected: readonly { readonly id: string; readonly limit: string }[];
  /** Runs that are to be cancelled, as newer ones replace them. */
  readonly replaced: readonly { readonly id: string; readonly limit: string; readonly by: string }[];
  /** Whether runs became due. */
  readonly isDue: boolean;
  /** Whether more runs are to be admitted than one exchange does. */
  readonly more: boolean;
  /** Whether more lanes and queues may be unused than one exchange deletes. */
  readonly isUntidy: boolean;
  /** When the next run asks for its slots; `undefined` if none does. */
  readonly nextAt: number | undefined;
}

/** What there is to do for limits, without a change. */
export interface LimitLook {
  /** When the next run asks for its slots; `undefined` if none does. */
  readonly nextAt: number | undefined;
  /** Whether a permit or a start is held by a dead runner, or by a run that has ended. */
  readonly isStale: boolean;
  /** Whether a unit in a run of the runner was granted its slots and has not taken them. */
  readonly isGranted: boolean;
}

/** Which lanes to read. */
export interface LanesQuery {
  /** Only lanes of this limit. @default {undefined} of all limits */
  readonly limit?: string | undefined;
  /** Only lanes that the permits of this run hold or wait for. @default {undefined} all lanes */
  readonly run?: number | undefined;
  /** The maximum number of lanes: those with most waiters first. */
  readonly lanes: number;
  /** The maximum number of holders, and of waiters, of each lane. */
  readonly permits: number;
}

/** A permit in a lane. */
export interface LanePermit {
  /** The id of the run. */
  readonly runId: string;
  /** The workflow of the run. */
  readonly workflow: string;
  /** The task; `undefined` for the run itself. */
  readonly task: string | undefined;
  /** The item; `undefined` for a task or a run. */
  readonly item: number | undefined;
  /** Since when it has held its slots or, if it waits, has waited. */
  readonly since: number;
}

/** A lane and its permits. */
export interface LaneRow extends LaneRef {
  /** The number of its slots. */
  readonly max: number;
  /** For a limit of rate, the period. */
  readonly perMs: number | undefined;
  /** How many slots are taken. */
  readonly held: number;
  /** How many permits wait. */
  readonly waiting: number;
  /** The oldest of the permits that hold a slot. Empty for a limit of rate, whose slots outlast them. */
  readonly holders: readonly LanePermit[];
  /** The first of the permits that wait. */
  readonly waiters: readonly LanePermit[];
}

/** Which waiting permits of a run to read. */
export interface WaitsQuery {
  /** The number of the run. */
  readonly run: number;
  /** The maximum number of entries: those of most units first, and of those the oldest. */
  readonly waits: number;
  /** The maximum number of holders of each lane. */
  readonly holders: number;
}

/** Permits of one task of a run, or the permit of the run itself, that wait for the same lanes. */
export interface WaitRow {
  /** The task; `undefined` for the run itself. */
  readonly task: string | undefined;
  /** How many items of the task wait; `undefined` for the task itself, or the run. */
  readonly items: number | undefined;
  /** How many permits of the task wait in all, for these lanes and others. */
  readonly ofTask: number;
  /** Since when the first of them has waited. */
  readonly since: number;
  /** How many permits that wait for the same lanes come before the first of them; at most `MOST_AHEAD`. */
  readonly ahead: number;
  /** The lanes, without their waiters. */
  readonly lanes: readonly LaneRow[];
}

/** Permits that come before another one are counted up to this number. */
export const MOST_AHEAD = 1_000;

/** How many slots of a limit are taken, and how many permits wait for one, in all of its lanes. */
export interface LimitTotals {
  /** The name of the limit. */
  readonly limit: string;
  /** The number of lanes in which a slot is taken or a permit waits. */
  readonly lanes: number;
  /** How many slots are taken. */
  readonly held: number;
  /** How many permits wait. */
  readonly waiting: number;
}

/** The operations on limits. */
export interface LimitStore {
  /** Stores the rules of limits. Those of a client do not change what a runner has deployed. */
  deploy(rules: readonly LimitRule[], by: "runner" | "client"): Promise<void>;
  /** Reads what there is to do for a runner. */
  look(runner: number): Promise<LimitLook>;
  /** Changes permits, and grants the slots that become free. */
  exchange(exchange: LimitExchange): Promise<LimitAnswer>;
  /** Reads lanes. */
  lanes(query: LanesQuery): Promise<readonly LaneRow[]>;
  /** Reads what permits of a run wait for. */
  waits(query: WaitsQuery): Promise<readonly WaitRow[]>;
  /** Reads how busy each deployed limit is, at most `limit` of them, by name. Reads every lane that is in use. */
  totals(limit: number): Promise<readonly LimitTotals[]>;
  /** Reads all rules. */
  rules(): Promise<readonly LimitRule[]>;
}
