/**
 * The smallest honest durable loop over the same driver: insert a run, record each of `k` results after its
 * predecessor's commit, end the run; everything of one turn in one commit, every write fenced by run and epoch. No
 * retries, no leases, no types, no history: what Sluice does beyond this is what its distance to this figure pays for.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import { openConnection } from "../../lib/store/sqlite/driver.ts";

/** A loop that can be driven. */
export interface Ceiling {
  /** Carries one run of `k` tasks to its end; resolves when that is durable. */
  run(k: number, payload: string): Promise<void>;
  /** Commits so far. */
  readonly commits: number;
  /** Closes the database. */
  close(): void | Promise<void>;
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
  return {
    async run(k, payload) {
      const id = await durable(() => insert.run([payload]).lastInsertRowid);
      for (let i = 0; i < k; i++) {
        const output = JSON.stringify(await body(payload));
        await durable(() => fenced(record.run([id, 1, i, output]).changes));
      }
      await durable(() => fenced(finish.run([id, 1]).changes));
    },
    get commits() {
      return commits;
    },
    close: () => db.close(),
  };

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
    batch.forEach(({ done }, at) => done(answers[at]!));
  }
}

/** What every task does, here and in Sluice. */
// deno-lint-ignore require-await -- a body that is asynchronous as most are
export async function body(payload: string): Promise<string> {
  return payload;
}

function fenced(changes: number): number {
  if (changes !== 1) throw new Error("fenced");
  return changes;
}
