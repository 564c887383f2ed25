import type { NewRun } from "../../store/port/batch.ts";
import type { AttemptSteps } from "./attempt_steps.ts";
import type { Attempt, AttemptContext, AttemptTransaction, LiveUnit } from "./live_run.ts";
import type { Node, Undo } from "../machine/plan.ts";
import type { Wake, WokenBy } from "../machine/run_state.ts";
import type { AttemptTrace } from "../telemetry/tracing.ts";

/** How an attempt ended. */
export type AttemptEnd =
  /** With an output, as JSON text. */
  | { readonly kind: "returned"; readonly output: string | undefined }
  /** The same, and its row is durable. */
  | { readonly kind: "committed"; readonly output: string | undefined }
  /** Another runner owns its run. */
  | { readonly kind: "fenced" }
  | { readonly kind: "threw"; readonly thrown: unknown }
  /** It failed, and no other attempt follows. */
  | { readonly kind: "failed"; readonly thrown: unknown }
  /** Another attempt follows at once. */
  | { readonly kind: "repeated" }
  /** The condition of its unit was false. */
  | { readonly kind: "declined" }
  /** Its unit continues when it is woken. */
  | { readonly kind: "suspended"; readonly wake: Wake; readonly reason: string }
  /** Its unit continues when this child run, which is to be inserted, has ended. */
  | { readonly kind: "spawned"; readonly child: NewRun }
  /** Its unit consists of the items of an array, given as JSON text; an undo has the items of its task, but for some. */
  | {
    readonly kind: "expanded";
    readonly items: number;
    readonly text: string | undefined;
    readonly omitted?: Undo["omitted"];
  };

/** The next try at a unit, or its continuation. */
export function newAttempt(unit: LiveUnit, wokenBy: WokenBy | undefined = undefined): Attempt {
  const attempt = new UnitAttempt(unit);
  if (wokenBy !== undefined) attempt.wokenBy = wokenBy;
  return attempt;
}

/** As with runs and units, what most attempts never have stands on the prototype. */
class UnitAttempt implements Attempt {
  readonly unit: LiveUnit;
  readonly number: number;
  stage: Attempt["stage"] = "new";
  slot: number = -1;
  startedAt: number = 0;
  beganAt: number = 0;
  tookMs: number | undefined = undefined;
  context: AttemptContext | undefined = undefined;
  isBegun: boolean = false;
  declare wokenBy: WokenBy | undefined;
  declare unreadable: Error | undefined;
  declare next: Attempt | undefined;
  declare steps: AttemptSteps | undefined;
  declare transaction: AttemptTransaction | undefined;
  declare aborted: Attempt["aborted"];
  declare disarm: (() => void) | undefined;
  declare isMarked: boolean;
  declare isRecorded: boolean;
  declare progress: string | undefined;
  declare trace: AttemptTrace | undefined;

  constructor(unit: LiveUnit) {
    this.unit = unit;
    this.number = unit.attempts;
  }
}

Object.assign(UnitAttempt.prototype, {
  wokenBy: undefined,
  unreadable: undefined,
  next: undefined,
  steps: undefined,
  transaction: undefined,
  aborted: undefined,
  disarm: undefined,
  isMarked: false,
  isRecorded: false,
  progress: undefined,
  trace: undefined,
});

/** The node of the plan that an attempt belongs to. */
export function nodeOf({ unit }: Pick<Attempt, "unit">): Node {
  return unit.run.plan.nodes[unit.node]!;
}

/** Whether the body of an attempt has not been called and nothing has ended it. */
export function hasNotBegun({ stage }: Attempt): boolean {
  return stage === "queued" || stage === "loading";
}
