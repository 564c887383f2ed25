import type { Logger } from "../../logger.ts";
import { LimitReachedError } from "../../start_errors.ts";
import type { NewRun, StartVerdict } from "../../store/port/batch.ts";
import type { LimitRule } from "../../store/port/limits.ts";
import { createPauses } from "../../store/shared/pauses.ts";
import type { Store } from "../../store/port/store.ts";
import { thrownText } from "../errors/error_record.ts";
import { retriedCall } from "../commit/retried_call.ts";

/** How often a client that starts runs releases the slots of runs that have ended. */
const RECOVERY_PAUSE_MS = 1_000;

/** Admits runs; resolves with the limits that refused some of them, by id. */
export type Admit = (runIds: readonly string[]) => Promise<ReadonlyMap<string, string>>;

/** Where runs are admitted. */
export interface AdmissionContext {
  readonly admit: Admit;
  /** The runner; `undefined` for a client. */
  readonly runner: object | undefined;
}

/**
 * Admits runs with limits that were inserted just now. A runner does so in the background, unless the caller is to learn
 * of a limit that is full.
 *
 * @throws {LimitReachedError} If a limit has no free slot, and the workflow does not wait for one.
 */
export async function admitRuns(
  context: AdmissionContext,
  runs: readonly NewRun[],
  verdicts: readonly (StartVerdict | undefined)[],
): Promise<void> {
  const started = runs.filter(({ limits }, at) => limits !== undefined && verdicts[at]?.kind === "started");
  if (started.length === 0) return;
  const admitted = context.admit(started.map(({ id }) => id));
  if (context.runner !== undefined && started.every(({ limits }) => limits?.whenFull !== "reject")) return;
  const refused = await admitted;
  for (const { id, workflow } of started) {
    const limit = refused.get(id);
    if (limit !== undefined) throw new LimitReachedError(workflow, limit);
  }
}

/**
 * Creates the admission of a client, which knows these limits. The runs exist already, so that an error of the store,
 * whatever it is, is retried until the store is closed, and logged once for each reason.
 */
export function createClientAdmission(
  store: Pick<Store, "limits" | "control">,
  rules: readonly LimitRule[],
  logger: Logger,
): Admit {
  const pauses = createPauses();
  let deployed: Promise<void> | undefined;
  let recoveredAt = -Infinity;
  let failure: string | undefined;
  return async (runIds) => {
    const refused = await retriedCall(() => admit(runIds), { pauses, failed });
    failure = undefined;
    return refused;
  };

  function failed(error: unknown): void {
    const reason = thrownText(error);
    if (reason !== failure) {
      logger.error("Cannot request slots of limits for started runs; retrying", { error: reason });
    }
    failure = reason;
  }

  async function admit(runIds: readonly string[]): Promise<ReadonlyMap<string, string>> {
    // A runner that is started later states its own numbers.
    deployed ??= store.limits.deploy(rules, "client");
    try {
      await deployed;
    } catch (error) {
      deployed = undefined;
      throw error;
    }
    const refused = new Map<string, string>();
    for (let started = runIds;; started = []) {
      // While no live runner knows of limits, nothing else finds the runs that have ended.
      const recovers = performance.now() - recoveredAt >= RECOVERY_PAUSE_MS;
      if (recovers) recoveredAt = performance.now();
      const answer = await store.limits.exchange({ runner: undefined, started, recovers });
      for (const { id, limit } of answer.rejected) refused.set(id, limit);
      for (const { id, limit, by } of answer.replaced) {
        await store.control(id, { kind: "cancel", reason: replacedBy(by, limit) });
      }
      if (answer.replaced.length > 0) await store.limits.exchange({ runner: undefined, recovers: true });
      if (!answer.more) return refused;
    }
  }
}

/** The reason of the cancel of a run that another one replaces. */
export function replacedBy(runId: string, limit: string): string {
  return `replaced by run ${runId}, as limit "${limit}" has no free slot`;
}
