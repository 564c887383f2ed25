import type { BodyDefinition } from "../../definition/definition.ts";
import { encodeJson } from "../../definition/json.ts";
import { resolvedEnd } from "../execution/at_most_once.ts";
import { argumentsOf } from "../execution/unit_arguments.ts";
import type { Kind } from "./kind.ts";

/** A body whose output is the result of its unit. A blocked attempt continues with a decision from outside instead. */
export const taskKind: Kind<Pick<BodyDefinition, "run">> = {
  call(attempt, { run }, port) {
    return attempt.wokenBy === undefined ? port.call(attempt, run, argumentsOf(attempt)) : undefined;
  },
  end: (attempt, value, port) =>
    attempt.wokenBy === undefined
      ? { kind: "returned", output: encodeJson(value, "output", port.maxPayloadBytes) }
      : resolvedEnd(attempt),
};
