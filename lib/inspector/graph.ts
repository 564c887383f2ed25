import type { StoredDefinition } from "../engine/catalog.ts";
import type { Graph, GraphTask } from "./shapes.ts";

/** A graph as it was defined; where that is not known, of `otherwise` tasks. */
export function graphOf(definition: StoredDefinition | undefined, otherwise: readonly GraphTask[]): Graph {
  if (definition === undefined) {
    return { isKnown: false, description: undefined, result: undefined, tasks: otherwise };
  }
  const defined = definition.tasks.map(({ id, kind, after, on, conditional, attempts, timeoutMs }) => ({
    id,
    kind,
    after,
    on,
    isConditional: conditional,
    attempts,
    timeoutMs,
  }));
  const known = new Set(defined.map(({ id }) => id));
  return {
    isKnown: true,
    description: definition.description,
    result: definition.result,
    tasks: [...defined, ...otherwise.filter(({ id }) => !known.has(id))],
  };
}
