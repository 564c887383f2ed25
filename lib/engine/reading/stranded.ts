import type { Served } from "../../store/port/batch.ts";
import type { Group, Store } from "../../store/port/store.ts";
import type { RunnerRow } from "../../store/port/runners.ts";
import type { ListedRun, ParkedGroup } from "../../store/port/listing.ts";

/** A parked run: no live runner can continue it. */
export interface StrandedRun {
  /** Id of the run. */
  readonly id: string;
  /** Name of its workflow. */
  readonly workflow: string;
  /** Version of the workflow that the run started with. */
  readonly version: string;
  /** Why no live runner claims it, and what is needed. */
  readonly reason: string;
}

const MOST_PER_VERSION = 100;

/**
 * Lists parked runs: unowned runs that have not ended and that no live runner would claim, because another version cannot
 * continue them, the runners are pinned to another version, or no runner has their workflow. At most 100 of each workflow
 * and version, and at most `most` in all.
 */
export async function stranded(store: Store, most: number = Infinity): Promise<StrandedRun[]> {
  return (await strandedRows(store, most)).map(({ row: { id, workflow, version }, reason }) => ({
    id,
    workflow,
    version,
    reason,
  }));
}

/** The rows of parked runs, each with the reason why no live runner claims it. */
export async function strandedRows(
  store: Store,
  most: number,
): Promise<readonly { readonly row: ListedRun; readonly reason: string }[]> {
  const parked: { readonly row: ListedRun; readonly reason: string }[] = [];
  for (const { group, why } of await parkedGroups(store)) {
    const room = Math.min(MOST_PER_VERSION, most - parked.length);
    if (room <= 0) break;
    for (const row of await store.unowned(group, room)) {
      // Its own version cannot continue it either: another version has recorded a task that this one lacks.
      const need = row.strandedBy === row.version ? "a runner with another version is needed" : why;
      if (need === undefined) continue;
      parked.push({ row, reason: group.stranded && row.reason !== undefined ? `${row.reason}; ${need}` : need });
    }
  }
  return parked;
}

/** The groups of runs that are parked, for a list of them. */
export async function parkedFilter(store: Store): Promise<readonly ParkedGroup[]> {
  return (await parkedGroups(store)).map(({ group, why }) => ({ ...group, byOwnVersion: why === undefined }));
}

/** Groups with parked runs; without a reason `why`, those of them are parked that their own version could not continue. */
async function parkedGroups(
  store: Store,
): Promise<readonly { readonly group: Group; readonly why: string | undefined }[]> {
  const now = store.now();
  const runners = (await store.runners()).filter((runner) => runner.leaseUntil > now);
  return (await store.groups())
    .map((group) => ({ group, why: whyStranded(group, runners) }))
    .filter(({ group, why }) => why !== undefined || group.stranded);
}

function whyStranded(group: Group, runners: readonly RunnerRow[]): string | undefined {
  const able = (runner: RunnerRow): boolean =>
    runner.served.some((served) => served.workflow === group.workflow && canTake(group, runner, served));
  if (runners.some(able)) return undefined;
  const isKnown = runners.some(({ served }) => served.some(({ workflow }) => workflow === group.workflow));
  return isKnown
    ? `a runner with version ${group.version} is needed`
    : `no live runner has workflow "${group.workflow}"`;
}

function canTake(group: Group, runner: RunnerRow, { version }: Served): boolean {
  return version === group.version || !(runner.pinned || group.stranded);
}
