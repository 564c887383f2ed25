/** Operations on many runs whose process is killed: repeating the call changes the remaining runs. */
import { assert, assertEquals } from "@std/assert";
import { type Client, createClient, createRunner, workflow } from "../../mod.ts";
import { spawn } from "../child.ts";
import { emptyStore } from "../empty_store.ts";
import { randomTest } from "../harness.ts";

const RUNS = 400;

const job = workflow("job").task("a", { run: () => 1 });
const failing = workflow("failing").task("a", { retry: 1, run: () => Promise.reject(new Error("down")) });

/** Each operation, the state of its runs afterwards, and how many of them it deletes. */
const OPERATIONS = [
  ["tagMany", "jobs", "pending"],
  ["pauseMany", "jobs", "paused"],
  ["resumeMany", "jobs", "pending"],
  ["cancelMany", "jobs", "cancelled"],
  ["retryMany", "failures", "pending"],
  ["deleteMany", "jobs", "gone"],
] as const;

randomTest("repeating the call finishes an operation on many runs whose process was killed", async (random) => {
  await using store = emptyStore("shared");
  const { url, options } = store;
  const place = JSON.stringify({ url, options });
  {
    await using runner = await createRunner(url, { ...options, workflows: [failing], logger: false });
    const runs = await runner.startMany(failing, Array.from({ length: RUNS }, () => undefined), { tags: ["failures"] });
    for (const run of runs) await run.outcome();
  }
  await using client = await createClient(url, { ...options, workflows: [job] });
  await client.startMany(job, Array.from({ length: RUNS }, () => undefined), { tags: ["jobs"], delay: "1h" });
  for (const [operation, tag, state] of OPERATIONS) {
    const isChanged = operation === "tagMany" ? "tags like '%more%'" : `state = '${state}'`;
    const left = async (): Promise<number> => {
      const [row] = await store.query(
        `select count(*) as n from runs where tags like '%"${tag}"%' and not (${isChanged})`,
      );
      return Number(row?.["n"]);
    };
    assertEquals(await left(), RUNS);
    await using child = spawn("crash/bulk_process.ts", [place, operation, tag]);
    await child.until("done");
    await new Promise((resolve) => setTimeout(resolve, random.below(100)));
    child.kill("SIGKILL");
    await child.exited;
    const rest = await left();
    assert(rest > 0 && rest < RUNS, `${operation}: ${rest} are left`);
    assertEquals(await repeat(client, operation, tag), rest, operation);
    assertEquals(await left(), 0, operation);
    assertEquals(await repeat(client, operation, tag), 0, operation);
  }
  // All rows of the deleted runs are gone, and all rows of the others exist.
  assertEquals(await store.query("select count(*) as n from runs"), [{ n: RUNS }]);
  const orphans = "select count(*) as n from events where run not in (select seq from runs)";
  assertEquals(await store.query(orphans), [{ n: 0 }]);
  {
    const mended = workflow("failing", { version: "2" }).task("a", { run: () => 1 });
    await using runner = await createRunner(url, { ...options, workflows: [mended], logger: false });
    for (const { id } of await store.query("select id from runs")) await runner.get(String(id)).outcome();
    assertEquals((await runner.stats()).runs.completed, RUNS);
  }
});

function repeat(client: Client<typeof job>, operation: typeof OPERATIONS[number][0], tag: string): Promise<number> {
  const filter = { tags: [tag] };
  return operation === "tagMany" ? client.tagMany(filter, ["more"]) : client[operation](filter);
}
