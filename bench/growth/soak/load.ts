/** Starts runs at an even pace, and tracks each of them. */
import type { Client, HandleOf } from "../../../mod.ts";
import { type Fate, soakWork, type Work } from "./work.ts";

const TICK_MS = 100;
const CANCEL_AFTER_MS = 300;
// A machine that cannot keep up would be soaked with what is left to do, and nothing else.
const MOST_OPEN = 5_000;

type SoakClient = Client<ReturnType<typeof soakWork>>;

const ENDS: Readonly<Record<Fate, "completed" | "failed" | "cancelled">> = {
  plain: "completed",
  retried: "completed",
  delayed: "completed",
  keyed: "completed",
  failing: "failed",
  cancelled: "cancelled",
};

/** Started runs and their outcomes. */
export interface Account {
  started: number;
  readonly ended: Record<"completed" | "failed" | "cancelled", number>;
  /** Moments at which nothing was started, as too much was under way. */
  skipped: number;
  /** What did not go as it should. */
  readonly wrong: string[];
}

/** A running load. */
export interface Load {
  readonly account: Account;
  /** Starts nothing more; resolves when everything has ended, and its end was read. */
  stop(): Promise<void>;
}

/** Starts so many runs a second, of every twenty of which five are out of the ordinary. */
export function startLoad(client: SoakClient, runsPerSecond: number): Load {
  const work = soakWork();
  const account: Account = { started: 0, ended: { completed: 0, failed: 0, cancelled: 0 }, skipped: 0, wrong: [] };
  const open = new Set<Promise<void>>();
  let n = 0;
  const timer = setInterval(tick, TICK_MS);
  return {
    account,
    async stop() {
      clearInterval(timer);
      while (open.size > 0) await Promise.all(open);
    },
  };

  function tick(): void {
    if (open.size >= MOST_OPEN) return void account.skipped++;
    const all = Array.from(
      { length: Math.round(runsPerSecond * TICK_MS / 1_000) },
      () => ({ fate: fateOf(n), n: n++ }),
    );
    const plain = all.filter(({ fate }) => fate === "plain");
    follow(client.startMany(work, plain).then((runs) => runs.forEach((run, at) => follow(end(run, plain[at]!)))));
    for (const one of all) if (one.fate !== "plain") follow(start(one));
  }

  function follow(work: Promise<unknown>): void {
    const followed = work.then(() => {}, (error) => void account.wrong.push(String(error)))
      .finally(() => open.delete(followed));
    open.add(followed);
  }

  async function start(input: Work): Promise<void> {
    const { fate } = input;
    if (fate === "keyed") {
      const [run, same] = await Promise.all([0, 1].map(() => client.start(work, input, { key: String(input.n) })));
      if (run!.id !== same!.id) account.wrong.push(`key ${input.n} has started two runs`);
      return await end(run!, input);
    }
    const run = await client.start(work, input, fate === "delayed" ? { delay: "1s" } : {});
    if (fate === "cancelled") {
      await new Promise((resolve) => setTimeout(resolve, CANCEL_AFTER_MS));
      await run.cancel("enough");
    }
    await end(run, input);
  }

  async function end(run: SoakRun, { fate, n }: Work): Promise<void> {
    account.started++;
    const outcome = await run.outcome();
    account.ended[outcome.status]++;
    if (outcome.status !== ENDS[fate]) account.wrong.push(`a ${fate} run, ${run.id}, ended as ${outcome.status}`);
    if (outcome.status === "completed" && outcome.result !== n + 3) {
      account.wrong.push(`run ${run.id} gave ${outcome.result}, not ${n + 3}`);
    }
  }
}

type SoakRun = HandleOf<ReturnType<typeof soakWork>>;

function fateOf(n: number): Fate {
  const rare: readonly Fate[] = ["retried", "failing", "delayed", "keyed", "cancelled"];
  return rare[n % 20] ?? "plain";
}
