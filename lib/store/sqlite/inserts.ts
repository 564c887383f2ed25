import type { JournalRecord, NewRun, StartVerdict } from "../batch.ts";
import type { Bindable } from "./driver.ts";
import type { Session } from "./session.ts";

// What nearly every run is: kept by whoever starts it, and with no options. What a statement costs is mostly what its
// values cost to bind, so this one has as few as can be.
const INSERT_PLAIN = `
insert into runs (epoch, owner, state, id, workflow, version, priority, due_at, created_at, started_at, input)
values (1, $1, 'running', $2, $3, $4, 0, $5, $5, $5, $6)`;

const INSERT = `
insert into runs (epoch, owner, state, id, workflow, version, key, priority, due_at, created_at, started_at,
                  deadline_at, timeout_ms, tags, input, forked_from, trace)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
on conflict (workflow, key) where key is not null do nothing`;

// Epoch 0 is that of no owner: what a fork begins with is no progress of its own.
const INSERT_RECORD = `
insert into tasks (run, task, item, step, epoch, state, attempts, started_at, ended_at, due_at, output, failures, reason,
                   progress)
values ($1, $2, $3, $4, 0, $5, $6, $7, $8, $9, $10, $11, $12, $13)`;

const BY_KEY = `select id from runs where workflow = $1 and key = $2`;

/** Where and when runs are inserted. */
export interface StartSite {
  /** The runners that may own runs; one of another runner is left pending. */
  readonly owners: ReadonlySet<number>;
  /** The store's time. */
  readonly now: number;
}

/** Inserts a run. */
export function insertRun(session: Session, run: NewRun, site: StartSite): StartVerdict {
  const { owner, timeoutMs, fork } = run;
  const { now } = site;
  if (isPlainStart(run, site)) {
    const { id, workflow, version, input } = run;
    const { lastInsertRowid } = session.run(INSERT_PLAIN, owner, id, workflow, version, now, input);
    return { kind: "started", seq: lastInsertRowid, owned: true, at: now };
  }
  const owned = isOwned(run, site);
  const deadlineAt = owned && timeoutMs !== undefined ? now + timeoutMs : undefined;
  const tags = run.tags.length === 0 ? undefined : JSON.stringify(run.tags);
  const { changes, lastInsertRowid } = session.run(
    INSERT,
    owned || fork ? 1 : 0,
    owned ? owner : undefined,
    owned ? "running" : "pending",
    run.id,
    run.workflow,
    run.version,
    run.key,
    run.priority,
    run.dueAt,
    now,
    owned ? now : undefined,
    deadlineAt,
    timeoutMs,
    tags,
    run.input,
    fork?.from,
    run.trace,
  );
  if (changes === 0) {
    const existing = session.get(BY_KEY, run.workflow, run.key);
    if (existing) return { kind: "existing", id: String(existing["id"]) };
  }
  for (const record of fork?.journal ?? []) session.run(INSERT_RECORD, lastInsertRowid, ...recordValues(record));
  return { kind: "started", seq: lastInsertRowid, owned, at: now };
}

/** Whether a run is kept by its starter and has no options. */
export function isPlainStart(run: NewRun, site: StartSite): boolean {
  return isOwned(run, site) && run.key === undefined && run.priority === 0 && run.timeoutMs === undefined &&
    run.tags.length === 0 && run.trace === undefined;
}

function isOwned({ owner, fork }: NewRun, { owners }: StartSite): boolean {
  return owner !== undefined && !fork && owners.has(owner);
}

/** What a journal row holds besides its run and epoch, in the order in which the inserts name it. */
export function recordValues(record: JournalRecord): Bindable[] {
  return [
    record.task,
    record.item,
    record.step,
    record.state,
    record.attempts,
    record.startedAt,
    record.endedAt,
    record.dueAt,
    record.output,
    record.failures.length === 0 ? undefined : JSON.stringify(record.failures),
    record.reason,
    record.progress,
  ];
}
