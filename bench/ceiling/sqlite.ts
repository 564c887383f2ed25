/**
 * The smallest honest durable loop over the same driver: insert a run, record each result after its predecessors'
 * commit, end the run; everything of one turn in one commit, every write fenced by run and epoch. No retries, no
 * leases, no types, no history: what Sluice does beyond this is what its distance to this figure pays for.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import { openConnection } from "../../lib/store/sqlite/driver.ts";
import { inFlight } from "../measure.ts";

/** The loop. */
export interface Ceiling {
  /**
   * Carries one run to its end; resolves when that is durable. `stages` says how many tasks there are side by side, each
   * of them after all of the stage before: `[1, 1, 1]` is a chain of 3, `[1, 100, 1]` a fan-out with its join. At most
   * `flight` of them are in flight at once, each until its result is durable (all of them by default).
   */
  run(stages: readonly number[], payload: string, flight?: number): Promise<void>;
  /** What it has done so far, as a store counts it. */
  counters(): Counters;
  /** What is in its tables: runs that have ended, and results. */
  recorded(): Promise<Recorded>;
  /** Closes the database. */
  close(): void | Promise<void>;
}

/** Counts of operations, without `begin` and `commit`. */
export interface Counters {
  /** Transactions that wrote. */
  readonly commits: number;
  /** Statements. */
  readonly statements: number;
  /** Rows inserted or updated. */
  readonly rows: number;
}

/** The recorded runs and results. */
export interface Recorded {
  /** Runs that have ended well. */
  readonly runs: number;
  /** Results of tasks. */
  readonly results: number;
}

/** Opens the loop on a new file. */
export async function openCeiling(path: string, durability: "power" | "process"): Promise<Ceiling> {
  const db = await openConnection(path);
  for (
    const pragma of [
      "journal_mode = wal",
      `synchronous = ${durability === "power" ? "full" : "normal"}`,
      "busy_timeout = 5000",
      "cache_size = -65536",
    ]
  ) db.prepare(`pragma ${pragma}`).get();
  db.exec("create table run (id integer primary key, state int not null, epoch int not null, input text) strict");
  db.exec("create index run_live on run (state) where state = 1");
  db.exec("create table step (run int, seq int, out text, primary key (run, seq)) strict, without rowid");
  const begin = db.prepare("begin immediate");
  const end = db.prepare("commit");
  const insert = db.prepare("insert into run (state, epoch, input) values (1, 1, $1)");
  const record = db.prepare(
    "insert into step (run, seq, out) select id, $3, $4 from run where id = $1 and epoch = $2 and state = 1",
  );
  const finish = db.prepare("update run set state = 2 where id = $1 and epoch = $2 and state = 1");

  let queue: { readonly work: () => number; readonly done: (answer: number) => void }[] = [];
  let isScheduled = false;
  let commits = 0;
  let rows = 0;
  return {
    async run(stages, payload, flight = Infinity) {
      const id = await durable(() => insert.run([payload]).lastInsertRowid);
      let seq = 0;
      for (const width of stages) {
        if (width === 1) await task(id, seq++, payload);
        else await inFlight(width, flight, () => task(id, seq++, payload));
      }
      await durable(() => fenced(finish.run([id, 1]).changes));
    },
    // One row for each statement.
    counters: () => ({ commits, statements: rows, rows }),
    recorded: () => Promise.resolve({ runs: count("run where state = 2"), results: count("step") }),
    close: () => db.close(),
  };

  async function task(id: number, seq: number, payload: string): Promise<void> {
    const output = JSON.stringify(await body(payload));
    await durable(() => fenced(record.run([id, 1, seq, output]).changes));
  }

  function count(what: string): number {
    return Number(db.prepare(`select count(*) as n from ${what}`).get()?.["n"]);
  }

  function durable(work: () => number): Promise<number> {
    return new Promise((done) => {
      queue.push({ work, done });
      if (isScheduled) return;
      isScheduled = true;
      setImmediate(flush);
    });
  }

  function flush(): void {
    isScheduled = false;
    const batch = queue;
    queue = [];
    begin.run();
    const answers = batch.map(({ work }) => work());
    end.run();
    commits++;
    rows += batch.length;
    batch.forEach(({ done }, at) => done(answers[at]!));
  }
}

/** The body of every task, here and in Sluice. */
// deno-lint-ignore require-await -- a body that is asynchronous as most are
export async function body(payload: string): Promise<string> {
  return payload;
}

function fenced(changes: number): number {
  if (changes !== 1) throw new Error("fenced");
  return changes;
}
