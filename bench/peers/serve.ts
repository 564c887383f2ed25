/**
 * The process of one side: reads commands from its standard input, a line of JSON each, and answers with lines that
 * begin with `reply `. `adapters/cloacina.py` answers to the same commands.
 *
 * `node bench/peers/serve.ts <adapter>`, and so by Deno and Bun.
 *
 * @module
 */
import process from "node:process";
import { createInterface } from "node:readline";
import { runtime } from "../measure.ts";
import { bodiesRun, type Open, type Session, type Work } from "./adapter.ts";

/** A request to a side. */
export type Command =
  | { readonly do: "open" } & Work
  | { readonly do: "carry"; readonly runs: number }
  | { readonly do: "one by one"; readonly runs: number }
  | { readonly do: "close" };

/** The response of a side. */
export interface Reply {
  /** What went wrong. */
  readonly error?: string;
  /** What runs it, with its version. */
  readonly runtime?: string;
  /** How long the work took. */
  readonly ms?: number;
  /** How long each run took. */
  readonly each?: readonly number[];
  /** Runs that the tables have as ended. */
  readonly ended?: number;
  /** Bodies that ran while the work was done. */
  readonly bodies?: number;
}

const { open } = await import(`./adapters/${process.argv[2]}.ts`) as {
  readonly open: Open;
};
let session: Session | undefined;

for await (const line of createInterface({ input: process.stdin })) {
  let reply: Reply;
  try {
    reply = await obey(JSON.parse(line));
  } catch (error) {
    reply = { error: error instanceof Error ? error.message : String(error) };
  }
  console.log(`reply ${JSON.stringify(reply)}`);
}
// Some sides leave timers behind.
process.exit(0);

async function obey(command: Command): Promise<Reply> {
  switch (command.do) {
    case "open":
      session = await open(command);
      await session.begin?.();
      return { runtime: runtime() };
    case "carry":
      return await timed(async ({ carry }) => {
        await carry!(command.runs);
        return [];
      });
    case "one by one":
      return await timed(async ({ one }) => {
        const each: number[] = [];
        for (let run = 0; run < command.runs; run++) {
          const began = performance.now();
          await one!();
          each.push(performance.now() - began);
        }
        return each;
      });
    case "close":
      await session?.close();
      session = undefined;
      return {};
  }
}

async function timed(work: (session: Session) => Promise<readonly number[]>): Promise<Reply> {
  if (session === undefined) throw new Error("It is not open");
  const before = bodiesRun();
  const began = performance.now();
  const each = await work(session);
  const ms = performance.now() - began;
  return {
    ms,
    each,
    ended: await session.ended(),
    bodies: bodiesRun() - before,
  };
}
