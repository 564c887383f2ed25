import type { Served } from "../store/batch.ts";
import type { Group, RunnerRow, Store } from "../store/port.ts";

/** A run that no runner can carry on as things are. */
export interface StrandedRun {
  /** The run. */
  readonly id: string;
  /** Its workflow. */
  readonly workflow: string;
  /** The version it started with. */
  readonly version: string;
  /** Why nobody takes it, and what would help. */
  readonly reason: string;
}

const MOST_OF_A_GROUP = 100;

/**
 * Live runs that nobody owns and that no living runner would claim: another version could not go on with them, they are
 * pinned to a version that is gone, or their workflow is. At most a hundred of each workflow and version, and `most`.
 */
export async function stranded(store: Store, most = Infinity): Promise<StrandedRun[]> {
  const now = store.now();
  const runners = (await store.runners()).filter((runner) => runner.leaseUntil > now);
  const lost: StrandedRun[] = [];
  for (const group of await store.groups()) {
    const why = whyStranded(group, runners);
    if (why === undefined) continue;
    const room = Math.min(MOST_OF_A_GROUP, most - lost.length);
    if (room <= 0) break;
    for (const { id, workflow, version, reason } of await store.unowned(group, room)) {
      lost.push({ id, workflow, version, reason: group.stranded && reason !== undefined ? `${reason}; ${why}` : why });
    }
  }
  return lost;
}

function whyStranded(group: Group, runners: readonly RunnerRow[]): string | undefined {
  const able = (runner: RunnerRow): boolean =>
    runner.served.some((served) => served.workflow === group.workflow && canTake(group, runner, served));
  if (runners.some(able)) return undefined;
  const isKnown = runners.some(({ served }) => served.some(({ workflow }) => workflow === group.workflow));
  return isKnown
    ? `it needs a runner of version ${group.version}`
    : `no runner that is alive has workflow "${group.workflow}"`;
}

function canTake(group: Group, runner: RunnerRow, { version }: Served): boolean {
  return version === group.version || !(runner.pinned || group.stranded);
}
