import { test } from "../harness.ts";
import { activeKeyContract } from "./contract/active_keys.ts";
import { batchContract } from "./contract/batches.ts";
import { bulkContract } from "./contract/bulk.ts";
import { childContract } from "./contract/children.ts";
import { claimContract } from "./contract/claim.ts";
import { commitContract } from "./contract/commit.ts";
import { compensationContract } from "./contract/compensation.ts";
import type { Case, Opened } from "./contract/fixture.ts";
import { debounceContract } from "./contract/debounce.ts";
import { filtersContract } from "./contract/filters.ts";
import { inspectionContract } from "./contract/inspection.ts";
import { itemContract } from "./contract/items.ts";
import { controlContract } from "./contract/control.ts";
import { lastResultContract } from "./contract/last_result.ts";
import { limitContract } from "./contract/limits.ts";
import { messageContract } from "./contract/messages.ts";
import { outcomesContract } from "./contract/outcomes.ts";
import { readingContract } from "./contract/reading.ts";
import { recoveryContract } from "./contract/recovery.ts";
import { scheduleContract } from "./contract/schedules.ts";
import { transactionContract } from "./contract/transactions.ts";

/**
 * Registers the contract tests of stores. `open` creates an empty database for each test; `gaps` lists the tests that
 * do not apply to a backend, each with the reason.
 */
export function storeContract(
  name: string,
  open: () => Promise<Opened>,
  gaps: Readonly<Record<string, string>> = {},
): void {
  const left = new Set(Object.keys(gaps));
  const register: Case = (sentence, body) => {
    if (left.delete(sentence)) return;
    test(`${name}: ${sentence}`, async () => {
      await using opened = await open();
      await body(opened);
    });
  };
  commitContract(register);
  lastResultContract(register);
  activeKeyContract(register);
  debounceContract(register);
  batchContract(register);
  claimContract(register);
  controlContract(register);
  compensationContract(register);
  messageContract(register);
  childContract(register);
  recoveryContract(register);
  readingContract(register);
  filtersContract(register);
  bulkContract(register);
  inspectionContract(register);
  outcomesContract(register);
  itemContract(register);
  scheduleContract(register);
  limitContract(register);
  transactionContract(register);
  if (left.size > 0) throw new Error(`No such tests: ${[...left].join("; ")}`);
}
