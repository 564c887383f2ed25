import type { MapDefinition } from "../../definition/definition.ts";
import { shown } from "../../definition/checks.ts";
import { encodeJson } from "../../definition/json.ts";
import type { AttemptEnd } from "../runs/attempt.ts";
import { NO_ITEM } from "../machine/run_state.ts";
import { argumentsOf } from "../execution/unit_arguments.ts";
import type { Kind, KindPort } from "./kind.ts";
import { subworkflowKind } from "./subworkflow.ts";
import { taskKind } from "./task.ts";
import { transactionKind } from "./transaction.ts";

/**
 * A node that computes an array and expands into its elements, each of which is an item with a body or a child run of its
 * own.
 */
export const mapKind: Kind<MapDefinition> = {
  call(attempt, { over, each }, port) {
    if (attempt.unit.item === NO_ITEM) {
      return port.call(attempt, over, argumentsOf(attempt));
    }
    return kindOf(each).call(attempt, each, port);
  },
  end(attempt, value, port, { id, each }) {
    if (attempt.unit.item === NO_ITEM) return expanded(value, id, port);
    return kindOf(each).end(attempt, value, port, each);
  },
};

type Each = MapDefinition["each"];

const kinds = { task: taskKind, transaction: transactionKind, subworkflow: subworkflowKind };

function kindOf(each: Each): Kind<Each> {
  // The compiler does not relate the key to the type of the definition.
  return kinds[each.kind] as Kind<Each>;
}

/** The maximum number of items of a map. */
const MOST_ITEMS = 1_000_000;

function counted(items: number): string {
  return items.toLocaleString("en");
}

function expanded(value: unknown, id: string, { maxPayloadBytes }: KindPort): AttemptEnd {
  if (!Array.isArray(value)) {
    throw new TypeError(`Cannot run map "${id}": over() must return an array, not ${shown(value)}`);
  }
  if (value.length > MOST_ITEMS) {
    throw new RangeError(
      `Cannot run map "${id}": over() returned ${counted(value.length)} items, and the limit is ${
        counted(MOST_ITEMS)
      }; ` +
        "split them between several maps or child runs",
    );
  }
  return { kind: "expanded", items: value.length, text: encodeJson(value, "items", maxPayloadBytes)! };
}
