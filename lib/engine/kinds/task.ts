import type { BodyDefinition } from "../../definition/definition.ts";
import { encodeJson } from "../../definition/json.ts";
import { argumentsOf } from "../unit_arguments.ts";
import type { Kind } from "./kind.ts";

/** A body whose output is the result of its unit. */
export const taskKind: Kind<Pick<BodyDefinition, "run">> = {
  call(attempt, { run }, port) {
    return port.call(attempt, run, argumentsOf(attempt));
  },
  end: (_attempt, value, port) => ({ kind: "returned", output: encodeJson(value, "output", port.maxPayloadBytes) }),
};
