/**
 * Tasks that run at most once. The start of an attempt is committed before its body runs. An attempt that ends without a
 * result, because its runner died, lost its lease or was stopped, is not repeated: its unit is *blocked* until a message
 * from outside decides. To the state machine a blocked unit is one that waits for a message.
 *
 * @module
 */
import { decodeJson } from "../../definition/json.ts";
import type { ErrorRecord } from "../../errors.ts";
import { type AttemptEnd, nodeOf } from "../runs/attempt.ts";
import { isAtMostOnce } from "../machine/blocked.ts";
import { fromErrorRecord } from "../errors/error_record.ts";
import type { Attempt } from "../runs/live_run.ts";
import { messageOf } from "../runs/run_messages.ts";

/** A decision about a blocked attempt, as it is stored. */
export type Resolution =
  | { readonly kind: "output"; readonly output: string | undefined }
  | { readonly kind: "error"; readonly error: ErrorRecord }
  | { readonly kind: "retry" };

/** Whether the body of an attempt runs at most once. */
export function runsAtMostOnce(attempt: Pick<Attempt, "unit">): boolean {
  return isAtMostOnce(nodeOf(attempt).task, attempt.unit.item);
}

/** Returns how a blocked attempt ends, given the decision that its unit has received. */
export function resolvedEnd({ unit }: Attempt): AttemptEnd {
  // A decoder's cast: `resolveTask` has written it.
  const resolution = decodeJson(messageOf(unit)) as Resolution;
  switch (resolution.kind) {
    case "output":
      return { kind: "returned", output: resolution.output };
    case "error":
      return { kind: "failed", thrown: fromErrorRecord(resolution.error) };
    case "retry":
      return { kind: "repeated" };
  }
}
