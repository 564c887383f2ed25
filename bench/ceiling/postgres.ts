/**
 * The loop of `sqlite.ts` on Postgres: everything that waits while a flush is on its way goes out as the next one, and a
 * flush is one statement of constant text, so one commit and one round trip.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import postgres from "postgres";
import { inFlight } from "../measure.ts";
import { body, type Ceiling } from "./sqlite.ts";

const FLUSH = `
with started as (
  insert into run (state, epoch, input)
  select 1, 1, input from unnest($1::text[]) as s (input)
  returning id
),
recorded as (
  insert into step (run, seq, out)
  select r.id, u.seq, u.out
    from unnest($2::bigint[], $3::int[], $4::int[], $5::text[]) as u (run, epoch, seq, out)
    join run as r on r.id = u.run and r.epoch = u.epoch and r.state = 1
  returning 1
),
finished as (
  update run as r
     set state = 2
    from unnest($6::bigint[], $7::int[]) as f (run, epoch)
   where r.id = f.run and r.epoch = f.epoch and r.state = 1
  returning 1
)
select array(select id from started)::text[] as ids,
       (select count(*) from recorded)::int as recorded,
       (select count(*) from finished)::int as finished`;

interface Waiting {
  readonly done: (id: string) => void;
}

interface Queue {
  readonly starts: (Waiting & { readonly input: string })[];
  readonly records: (Waiting & { readonly id: string; readonly seq: number; readonly output: string })[];
  readonly ends: (Waiting & { readonly id: string })[];
}

/** Opens the loop in a schema of its own. */
export async function openPostgresCeiling(url: string, schema: string): Promise<Ceiling> {
  const sql = postgres(url, { max: 1, onnotice() {}, connection: { search_path: schema } });
  await sql.unsafe(`
    create schema ${schema};
    create table ${schema}.run (id bigint generated always as identity primary key, state int not null,
                                epoch int not null, input text) with (fillfactor = 80);
    create index run_live on ${schema}.run (state) where state = 1;
    create table ${schema}.step (run bigint, seq int, out text, primary key (run, seq))`);

  let queue = empty();
  let isScheduled = false;
  let commits = 0;
  let rows = 0;
  return {
    async run(stages, payload, flight = Infinity) {
      const id = await new Promise<string>((done) => {
        queue.starts.push({ input: payload, done });
        schedule();
      });
      let seq = 0;
      for (const width of stages) {
        if (width === 1) await task(id, seq++, payload);
        else await inFlight(width, flight, () => task(id, seq++, payload));
      }
      await new Promise((done) => {
        queue.ends.push({ id, done });
        schedule();
      });
    },
    // One statement for each commit.
    counters: () => ({ commits, statements: commits, rows }),
    async recorded() {
      const [row] = await sql`
        select (select count(*) from run where state = 2)::int as runs, (select count(*) from step)::int as results`;
      return { runs: row!["runs"], results: row!["results"] };
    },
    close: () => sql.end(),
  };

  async function task(id: string, seq: number, payload: string): Promise<void> {
    const output = JSON.stringify(await body(payload));
    await new Promise((done) => {
      queue.records.push({ id, seq, output, done });
      schedule();
    });
  }

  function schedule(): void {
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(flush);
  }

  async function flush(): Promise<void> {
    const { starts, records, ends } = queue;
    queue = empty();
    const [row] = await sql.unsafe(FLUSH, [
      starts.map(({ input }) => input),
      records.map(({ id }) => id),
      records.map(() => 1),
      records.map(({ seq }) => seq),
      records.map(({ output }) => output),
      ends.map(({ id }) => id),
      ends.map(() => 1),
    ], { prepare: true });
    commits++;
    rows += starts.length + records.length + ends.length;
    if (row!["recorded"] !== records.length || row!["finished"] !== ends.length) throw new Error("fenced");
    isScheduled = false;
    starts.forEach(({ done }, at) => done(row!["ids"][at]));
    for (const { id, done } of [...records, ...ends]) done(id);
    if (queue.starts.length + queue.records.length + queue.ends.length > 0) schedule();
  }
}

function empty(): Queue {
  return { starts: [], records: [], ends: [] };
}
