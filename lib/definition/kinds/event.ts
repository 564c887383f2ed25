import { shown } from "../checks.ts";
import type { EventDefinition } from "../definition.ts";
import { refuseLimits } from "../read_limits.ts";
import { ONE_ATTEMPT } from "../retry.ts";
import { isSchema, unchecked } from "../schema.ts";
import { GRAPH_OPTIONS, readGraphOptions, refuseUndo } from "./graph_options.ts";
import type { KindReader } from "./kind.ts";

/** Reads tasks that wait for a message. */
export const eventReader: KindReader = {
  label: "event",
  allowed: () => ALLOWED,
  read(source): EventDefinition {
    const { what, options, checks } = source;
    const { schema, timeout } = options;
    refuseUndo(source);
    if (schema === undefined) checks.report(`${what} has no \`schema\`; state one, or unchecked<T>()`);
    else if (!isSchema(schema)) {
      checks.report(
        `${what}: schema must be a Standard Schema, such as one of zod, valibot or arktype, not ${shown(schema)}`,
      );
    }
    return Object.freeze({
      ...readGraphOptions(source),
      kind: "event",
      schema: isSchema(schema) ? schema : unchecked(),
      waitMs: checks.timeout(timeout, `${what}: timeout`),
      limits: refuseLimits(source),
      retry: ONE_ATTEMPT,
      timeoutMs: undefined,
      onSuccess: undefined,
      onFailure: undefined,
    });
  },
};

const ALLOWED: readonly string[] = [...GRAPH_OPTIONS, "limits", "undo", "schema", "timeout"];
