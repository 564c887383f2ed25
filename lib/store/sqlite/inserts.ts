import type { JournalRecord, NewRun, StartVerdict } from "../batch.ts";
import type { Bindable } from "./driver.ts";
import type { Session } from "./session.ts";

// Nearly every run is owned by the runner that starts it and has no options. Most of the cost of a statement is the
// binding of its values, so this statement binds as few as possible.
const INSERT_PLAIN = `
insert into runs (epoch, owner, state, id, workflow, version, priority, due_at, created_at, started_at, input)
values (1, $1, 'running', $2, $3, $4, 0, $5, $5, $5, $6)`;

const INSERT = `
insert into runs (epoch, owner, state, id, workflow, version, key, priority, due_at, created_at, started_at,
                  deadline_at, timeout_ms, tags, input, forked_from, trace)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
on conflict (workflow, key) where key is not null do nothing`;

// No owner has epoch 0: the initial results of a fork do not count as its own progress.
const INSERT_RECORD = `
insert into tasks (run, task, item, step, epoch, state, attempts, started_at, ended_at, due_at, output, failures, reason,
                   progress)
values ($1, $2, $3, $4, 0, $5, $6, $7, $8, $9, $10, $11, $12, $13)`;

const BY_KEY = `select id from runs where workflow = $1 and key = $2`;

/** The owners and the time of inserted runs. */
export interface StartSite {
  /** The runners that may own runs; the run of any other runner is inserted as pending. */
  readonly owners: ReadonlySet<number>;
  /** The current time of the store's clock. */
  readonly now: number;
}

/** Inserts a run and the initial results of a fork. */
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

/** Returns whether the starting runner owns the run and the run has no options. */
export function isPlainStart(run: NewRun, site: StartSite): boolean {
  return isOwned(run, site) && run.key === undefined && run.priority === 0 && run.timeoutMs === undefined &&
    run.tags.length === 0 && run.trace === undefined;
}

function isOwned({ owner, fork }: NewRun, { owners }: StartSite): boolean {
  return owner !== undefined && !fork && owners.has(owner);
}

/** Returns the values of a journal row except its run and epoch, in the column order of the inserts. */
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
