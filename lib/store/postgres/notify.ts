import type { Run } from "./session.ts";

const NOTIFY = `select pg_notify('sluice_@schema', $1)::text as told`;

/** Tells all who watch, once the transaction is committed. */
export async function notify(run: Run, told: string): Promise<void> {
  await run(NOTIFY, [told]);
}
