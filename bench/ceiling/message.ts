/**
 * The time from the call that sends a message to the start of the task after it, in the process of the runner and from
 * another process.
 *
 * `deno run -A bench/ceiling/message.ts` or `bun bench/ceiling/message.ts`; `--messages=200 --store=postgres`.
 *
 * @module
 */
import { type Client, createClient, createRunner } from "../../mod.ts";
import { spawn } from "../../tests/child.ts";
import { epochMs, flag, quantile, report } from "../measure.ts";
import { emptyStore, type StoreKind, STORES } from "../stores.ts";
import { waiting } from "../workloads.ts";

const MESSAGES = flag("messages", 200);

for (const store of STORES) {
  await inProcess(store);
  await acrossProcesses(store);
}

async function inProcess(store: StoreKind): Promise<void> {
  await using empty = await emptyStore(store);
  let began = Promise.withResolvers<number>();
  const workflow = waiting(() => began.resolve(epochMs()));
  await using runner = await createRunner(empty.url, { ...empty.options, workflows: [workflow] });
  await measure(store, "same process", runner, async (send) => {
    began = Promise.withResolvers();
    await send();
    return await began.promise;
  });
}

async function acrossProcesses(store: StoreKind): Promise<void> {
  await using empty = await emptyStore(store);
  await using child = spawn("../bench/children/message_runner.ts", [empty.url, JSON.stringify(empty.options)]);
  await child.until("ready");
  await using client = await createClient(empty.url, { ...empty.options, workflows: [waiting(() => {})] });
  await measure(store, "other process", client, async (send) => {
    await send();
    return Number(await child.line());
  });
}

/** `begin` sends a message and returns when the task after it began. */
async function measure(
  store: StoreKind,
  from: string,
  client: Pick<Client<ReturnType<typeof waiting>>, "start">,
  begin: (send: () => Promise<unknown>) => Promise<number>,
): Promise<void> {
  const ms: number[] = [];
  const warmUp = Math.ceil(MESSAGES / 10);
  for (let i = 0; i < warmUp + MESSAGES; i++) {
    const run = await client.start("waiting");
    // A run that waits without a time is released from memory.
    while ((await run.status()).state !== "waiting") await new Promise((resolve) => setTimeout(resolve, 1));
    const sentAt = epochMs();
    const beganAt = await begin(() => run.send("go", 1));
    await run.result();
    if (i >= warmUp) ms.push(beganAt - sentAt);
  }
  report({
    bench: "message to task",
    store,
    from,
    messages: MESSAGES,
    p50Ms: quantile(ms, 0.5),
    p95Ms: quantile(ms, 0.95),
    p99Ms: quantile(ms, 0.99),
  });
}
