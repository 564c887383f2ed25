/** Sluice itself. Chains and fans are started and awaited by one process; jobs are inserted by a client beside a runner. */
import { createClient, createRunner, dynamicWorkflow, type Runner, unchecked, workflow } from "../../../mod.ts";
import {
  body,
  inParts,
  PAYLOAD,
  type Place,
  type Session,
  settled,
  spread,
  WIDTH,
  type Work,
  type Workload,
} from "../adapter.ts";

const chain = workflow("work", { input: unchecked<string>() })
  .task("first", { run: ({ input }) => body(input) })
  .task("second", { after: ["first"], run: ({ first }) => body(first) })
  .task("third", { after: ["second"], run: ({ second }) => body(second) });

const job = workflow("work", { input: unchecked<string>() }).task("only", {
  run: ({ input }) => body(input),
});

const items = Array.from({ length: WIDTH }, (_, at) => `item${at}`);
const fan = dynamicWorkflow({
  name: "work",
  tasks: [
    { id: "first", run: ({ input }) => body(String(input)) },
    ...items.map((id) => ({
      id,
      after: ["first"],
      run: ({ first }: Readonly<Record<string, unknown>>) => body(String(first)),
    })),
    {
      id: "last",
      after: items,
      run: (outputs) => body(String(outputs["item0"])),
    },
  ],
});

const BATCH = 1_000;

const WORKFLOWS = {
  "chain of 3": chain,
  "latency of a chain of 3": chain,
  "one-task jobs": job,
  "1 + 100 + 1": fan,
} as const satisfies Record<Workload, unknown>;

export async function open({ workload, place, flight }: Work): Promise<Session> {
  const options = { workflows: [WORKFLOWS[workload]] };
  if (workload === "one-task jobs") return await queued(place, flight);
  const runner: Runner<(typeof options.workflows)[number]> = await createRunner(urlOf(place), options);
  const one = async (): Promise<void> => {
    const outcome = await runner.execute("work", PAYLOAD);
    if (outcome.status !== "completed") {
      throw new Error(`A run ended as ${outcome.status}`);
    }
  };
  return {
    one,
    carry: (runs) => spread(runs, flight, one),
    ended: async () => (await runner.stats()).runs.completed,
    close: () => runner.stop(),
  };
}

async function queued(place: Place, flight: number): Promise<Session> {
  const client = await createClient(urlOf(place), { workflows: [job] });
  const ended = async (): Promise<number> => (await client.stats()).runs.completed;
  let runner: Runner<typeof job> | undefined;
  return {
    async begin() {
      runner = await createRunner(urlOf(place), { workflows: [job], maxRuns: flight, concurrency: flight });
    },
    async carry(runs) {
      const insert = (part: number) => client.startMany(job, Array.from({ length: part }, () => PAYLOAD));
      await settled(() => inParts(runs, BATCH, insert), { runs, bodies: runs, ended });
    },
    ended,
    async close() {
      await runner?.stop();
      await client.stop();
    },
  };
}

function urlOf({ kind, url }: Place): string {
  return kind === "sqlite" ? `sqlite://${url}` : url;
}
