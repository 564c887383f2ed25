import { encodeJson } from "../../definition/json.ts";
import { nodeOf } from "../attempt.ts";
import { argumentsOf } from "../unit_arguments.ts";
import type { Kind } from "./kind.ts";

/** A body whose output is the result of its unit. */
export const taskKind: Kind = {
  call(attempt, port) {
    const { run } = nodeOf(attempt).task;
    const args = argumentsOf(attempt);
    return port.call(attempt, () => run(args));
  },
  end: (_attempt, value, port) => ({ kind: "returned", output: encodeJson(value, "output", port.maxPayloadBytes) }),
};
