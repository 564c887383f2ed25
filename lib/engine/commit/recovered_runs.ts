import type { Logger } from "../../logger.ts";
import type { Store } from "../../store/port/store.ts";
import type { RecoverRequest, Recovery } from "../../store/port/runners.ts";

/** Runs taken from dead runners in one transaction. */
const RECOVER_AT_ONCE = 500;

/** Recovers the runs of dead runners in several transactions, and yields what each has done. */
export async function* recoveredRuns(
  store: Pick<Store, "recover">,
  logger: Logger,
  request: Omit<RecoverRequest, "limit">,
): AsyncGenerator<Recovery> {
  let { wasClockSetBack = false } = request;
  for (let more = true; more;) {
    const recovery = await store.recover({ ...request, wasClockSetBack, limit: RECOVER_AT_ONCE });
    wasClockSetBack = false;
    more = recovery.more;
    const count = recovery.released.length + recovery.failed.length;
    if (count > 0) logger.warn(`${count} runs of dead runners were recovered`);
    yield recovery;
  }
}
