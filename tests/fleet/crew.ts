/** Runners on one schema, each with its own connections, whose bodies the test releases. */
import { type Client, createClient, createRunner, type Runner, type RunnerOptions } from "../../mod.ts";
import type { Store } from "../../lib/store/port/store.ts";
import { type Work, work } from "./work.ts";
import { type TestSchema, testSchema } from "../store/postgres_schema.ts";

/** A body that has begun and waits to be released. */
interface Held {
  readonly input: number;
  readonly release: () => void;
}

/** A runner and the progress of its bodies. */
export interface Member {
  readonly runner: Runner<Work>;
  /** The inputs of its bodies, in the order in which they began. */
  readonly begun: readonly number[];
  /** How many bodies have begun and not ended. */
  readonly held: readonly Held[];
  /** The highest number of bodies that ran at once. */
  readonly most: number;
  /** Releases all bodies, including those that begin later. */
  open(): void;
}

/** Runners on one schema; disposal stops them and drops the schema. */
export interface Crew extends AsyncDisposable {
  readonly on: TestSchema;
  /** A client, which starts runs. */
  readonly client: Client<Work>;
  /** Adds a runner, on a store that `wrap` may replace. */
  add(options: Omit<RunnerOptions<Work>, "workflows">, wrap?: (store: Store) => Store): Promise<Member>;
  /** Returns how many runs each runner owns according to the database, in ascending order. */
  owned(): Promise<number[]>;
}

/** Creates a schema without runners. */
export async function openCrew(): Promise<Crew> {
  const on = testSchema();
  const stops: (() => Promise<void>)[] = [];
  const store = await open();
  const client = await createClient(store, { workflows: [work(() => Promise.resolve())] });
  return {
    on,
    client,
    async add(options, wrap = (store) => store) {
      const store = await open();
      const { member, run } = bodies();
      const runner = await createRunner(wrap(store), { workflows: [work(run)], ...options });
      stops.unshift(() => (member.open(), runner.stop()));
      return Object.assign(member, { runner });
    },
    async owned() {
      const rows = await on.sql`select count(*) as n from runs where owner is not null group by owner order by 1`;
      return rows.map(({ n }) => n);
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(stops.map((stop) => stop()));
      await client.stop();
      await on[Symbol.asyncDispose]();
    },
  };

  function open(): Promise<Store> {
    return on.open();
  }
}

function bodies(): { member: Omit<Member, "runner">; run: (input: number) => Promise<void> } {
  const begun: number[] = [];
  const held: Held[] = [];
  let most = 0;
  let isOpen = false;
  const member = {
    begun,
    held,
    get most() {
      return most;
    },
    open() {
      isOpen = true;
      for (const { release } of [...held]) release();
    },
  };
  return { member, run };

  function run(input: number): Promise<void> {
    begun.push(input);
    return new Promise((resolve) => {
      const one: Held = {
        input,
        release() {
          held.splice(held.indexOf(one), 1);
          resolve();
        },
      };
      held.push(one);
      most = Math.max(most, held.length);
      if (isOpen) setTimeout(one.release, 1);
    });
  }
}
