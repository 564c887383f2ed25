/** Several runners on one database share runs without a coordinator. */
import { assert, assertEquals } from "@std/assert";
import { commit, newRun } from "../store/contract/fixture.ts";
import { spawn } from "../child.ts";
import { test } from "../harness.ts";
import { until } from "../within.ts";
import { type Crew, type Member, openCrew } from "./crew.ts";

const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n);
const inOrder = (inputs: readonly number[]): number[] => inputs.toSorted((a, b) => a - b);

test("each of three runners claims exactly its capacity, and the remaining runs wait for free capacity", async () => {
  await using crew = await openCrew();
  const rooms = [2, 5, 9];
  const members = await Promise.all(rooms.map((maxRuns) => crew.add({ maxRuns, concurrency: 64 })));
  await crew.client.startMany("work", numbers(40));
  await until(() => members.every(({ held }, at) => held.length === rooms[at]));
  // Notifications and polls cause no further claims.
  await crew.client.startMany("work", numbers(10));
  for (const { runner } of members) assertEquals((await runner.stats()).runs, await counts(16, 34));
  assertEquals(await crew.owned(), rooms);
  // One slot becomes free, and only its runner claims a run.
  members[1]!.held[0]!.release();
  await until(() => members[1]!.begun.length === 6);
  assertEquals(members.map(({ begun }) => begun.length), [2, 6, 9]);
  assertEquals(await crew.owned(), rooms);
  for (const member of members) member.open();
  await until(async () => (await crew.client.stats()).runs.completed === 50);
  assertEquals(members.map(({ most }) => most), rooms);
  assertEquals(inOrder(members.flatMap(({ begun }) => begun)), inOrder([...numbers(40), ...numbers(10)]));

  function counts(running: number, pending: number) {
    return { running, pending, waiting: 0, paused: 0, compensating: 0, completed: 0, failed: 0, cancelled: 0 };
  }
});

test("a runner claims no more runs than it has slots, even if maxRuns is higher", async () => {
  await using crew = await openCrew();
  const members = await Promise.all([1, 2, 3].map((concurrency) => crew.add({ maxRuns: 6, concurrency })));
  await crew.client.startMany("work", numbers(30));
  await until(async () => (await crew.owned()).join() === "1,2,3");
  await until(() => members.every(({ held }, at) => held.length === at + 1));
  const seen: number[] = [];
  while ((await crew.client.stats()).runs.completed < 30) {
    for (const { held } of members) held[0]?.release();
    seen.push(...await crew.owned());
  }
  assert(Math.max(...seen) <= 6, `${seen}`);
  assertEquals(members.map(({ most }) => most), [1, 2, 3]);
});

test("three runners with equal capacity get equal shares of a backlog, independent of the order in which they started", async () => {
  await using crew = await openCrew();
  await crew.client.startMany("work", numbers(900));
  const members: Member[] = [];
  for (let n = 0; n < 3; n++) {
    members.push(await crew.add({ maxRuns: 10, concurrency: 10 }));
    // The first uses all of its capacity before the last one starts.
    await until(() => members.at(-1)!.held.length === 10);
  }
  for (const member of members) member.open();
  await until(async () => (await crew.client.stats()).runs.completed === 900);
  const shares = members.map(({ begun }) => begun.length);
  // On a busy machine claims of some runners take longer than those of others.
  assert(shares.every((share) => share >= 100), `${shares}`);
  assertEquals(inOrder(members.flatMap(({ begun }) => begun)), numbers(900));
});

test("a runner begins due runs by priority, then by due time, independent of the process that started them", async () => {
  await using crew = await openCrew();
  const wanted = [-5, 0, 0, 0, 3, 3, 7].map((priority, dueAt) => ({ priority, dueAt: 1_000 + dueAt }));
  for (const at of [4, 1, 6, 3, 0, 5, 2]) {
    const { priority, dueAt } = wanted[at]!;
    await crew.client.start("work", at, { priority, startAt: dueAt });
  }
  const member = await crew.add({ maxRuns: 1, concurrency: 1 });
  member.open();
  await until(() => member.begun.length === 7);
  assertEquals(member.begun, numbers(7));
});

test("each of several runners begins runs by priority, then by due time, and together they omit none", async () => {
  await using crew = await openCrew();
  const count = 240;
  const store = await crew.on.open();
  const version = await versionOf(crew);
  // The input is the position in the expected order; the runs are inserted in another order.
  const starts = numbers(count).map((n) => n * 77 % count).map((n) =>
    newRun({ workflow: "work", version, priority: Math.floor(n / 12), dueAt: 1_000 + n % 12, input: String(n) })
  );
  await commit(store, { starts });
  const members = await Promise.all(numbers(3).map(() => crew.add({ maxRuns: 1, concurrency: 1 })));
  for (const member of members) member.open();
  await until(async () => (await crew.client.stats()).runs.completed === count);
  for (const { begun } of members) assertEquals(begun, inOrder(begun));
  assertEquals(inOrder(members.flatMap(({ begun }) => begun)), numbers(count));
});

test("runs that become due later are claimed in the order of their due times, and none before its due time", async () => {
  await using crew = await openCrew();
  const member = await crew.add({ maxRuns: 1, concurrency: 1 });
  member.open();
  const store = await crew.on.open();
  const version = await versionOf(crew);
  const first = store.now() + 400;
  // In one commit: on a slow machine some runs might otherwise be due before the others are inserted.
  const starts = [3, 0, 2, 1].map((n) =>
    newRun({ workflow: "work", version, dueAt: first + n * 20, input: String(n) })
  );
  await commit(store, { starts });
  await until(() => member.begun.length === 4);
  assertEquals(member.begun, numbers(4));
  for (const { id, dueAt } of starts) {
    const { startedAt } = await (await crew.client.get(id)).status();
    assert(startedAt! >= dueAt!, `due at ${dueAt}, started at ${startedAt}`);
  }
});

test("if any of three runners stops, the others execute the remaining runs, and none is lost or executed twice", async () => {
  await using crew = await openCrew();
  const members = await Promise.all(numbers(3).map(() => crew.add({ maxRuns: 8, concurrency: 4 })));
  await crew.client.startMany("work", numbers(300));
  for (const member of members) member.open();
  for (const at of [0, 2]) {
    await until(() => members[at]!.begun.length >= 20);
    await members[at]!.runner.stop();
  }
  await until(async () => (await crew.client.stats()).runs.completed === 300);
  assertEquals(inOrder(members.flatMap(({ begun }) => begun)), numbers(300));
  assertEquals((await crew.client.stats()).runs.running, 0);
});

test("three processes get fair shares, and none exceeds its capacity of bodies or runs", async () => {
  await using crew = await openCrew();
  const { url, schema } = crew.on;
  const children = numbers(3).map(() => spawn("./fleet/process.ts", [url, schema, "8", "4"]));
  await Promise.all(children.map((child) => child.until("ready")));
  await crew.client.startMany("work", numbers(600));
  let mostOwned = 0;
  await until(async () => {
    mostOwned = Math.max(mostOwned, ...await crew.owned());
    return (await crew.client.stats()).runs.completed === 600;
  });
  const told = await Promise.all(children.map(async (child) => {
    child.kill("SIGTERM");
    const { code, stdout, stderr } = await child.exited;
    assertEquals({ code, stderr }, { code: 0, stderr: "" });
    return JSON.parse(stdout.trim().split("\n").at(-1)!) as { begun: number[]; most: number };
  }));
  assert(mostOwned > 4 && mostOwned <= 8, `${mostOwned}`);
  assertEquals(told.map(({ most }) => most), [4, 4, 4]);
  assert(told.every(({ begun }) => begun.length >= 100), `${told.map(({ begun }) => begun.length)}`);
  assertEquals(inOrder(told.flatMap(({ begun }) => begun)), numbers(600));
});

/** Returns the version of the workflow in the database, which it stores by starting a run that is not due. */
async function versionOf({ client, on }: Crew): Promise<string> {
  await client.start("work", -1, { delay: "1h" });
  const [row] = await on.sql<{ version: string }[]>`select version from runs`;
  return row!.version;
}
