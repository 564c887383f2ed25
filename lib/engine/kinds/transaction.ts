import type { TransactionDefinition } from "../../definition/definition.ts";
import { encodeJson } from "../../definition/json.ts";
import type { TransactionVerdict } from "../../store/port/transactions.ts";
import { argumentsOf } from "../execution/unit_arguments.ts";
import type { Kind } from "./kind.ts";

/** A body that runs in a transaction of the store's database, which also records its output. */
export const transactionKind: Kind<Pick<TransactionDefinition, "run">, TransactionVerdict> = {
  call(attempt, { run }, port) {
    // New arguments for each call: the body runs again when the database could not carry out its transaction.
    return port.transact(attempt, async (tx) => {
      const output = await port.call(attempt, run, argumentsOf(attempt, tx));
      return encodeJson(output, "output", port.maxPayloadBytes);
    });
  },
  end: (_attempt, verdict) => verdict,
};
