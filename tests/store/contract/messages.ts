import { assertEquals } from "@std/assert";
import type { SendResult } from "../../../lib/store/port/messages.ts";
import type { Store } from "../../../lib/store/port/store.ts";
import {
  type Case,
  claimBy,
  claimed,
  commit,
  endedBefore,
  join,
  newRun,
  openRecord,
  record,
  start,
  startOwned,
  T0,
  write,
} from "./fixture.ts";

/** Messages to tasks of runs. */
export function messageContract(test: Case): void {
  test("a message is in the inbox of the run's owner until the owner acknowledges it", async ({ store }) => {
    const { seq, id, runner } = await startOwned(store);
    assertEquals(await send(store, id, "a", "1"), { kind: "done", accepted: true });
    const inbox = [{ seq, attention: 1, cancel: undefined, paused: false, hasMessages: true }];
    assertEquals(await store.inbox(runner), inbox);
    assertEquals((await store.renew(runner, 1_000)).inbox, inbox);
    assertEquals(await store.messages([seq]), [{ seq, task: "a", item: -1, attempt: 0, payload: "1" }]);
    await commit(store, { writes: [{ seq, epoch: 1, records: [], move: undefined, seen: 1 }] });
    assertEquals(await store.inbox(runner), []);
  });

  test("the first message to a task is accepted, and no other", async ({ store }) => {
    const { seq, id } = await startOwned(store);
    const results = await Promise.all(["1", "2", "3"].map((payload) => send(store, id, "a", payload)));
    assertEquals(results.map((result) => result.kind === "done" && result.accepted), [true, false, false]);
    assertEquals(await send(store, id, "b", undefined), { kind: "done", accepted: true });
    assertEquals(await store.messages([seq]), [
      { seq, task: "a", item: -1, attempt: 0, payload: "1" },
      { seq, task: "b", item: -1, attempt: 0, payload: undefined },
    ]);
  });

  test("the times of accepted messages are listed, oldest first", async ({ store, clock }) => {
    const { seq, id } = await startOwned(store);
    await send(store, id, "b", "1");
    clock.advance(5);
    await send(store, id, "b", "2");
    await send(store, id, "a", "3");
    await store.closeMailbox(seq, "c");
    await store.send(id, { id: crypto.randomUUID(), task: "d", item: 4, attempt: 2, payload: undefined });
    assertEquals(await store.deliveries(seq), [
      { task: "b", item: -1, attempt: 0, at: T0 },
      { task: "a", item: -1, attempt: 0, at: T0 + 5 },
      { task: "d", item: 4, attempt: 2, at: T0 + 5 },
    ]);
    assertEquals(await store.deliveries(seq + 1), []);
  });

  test("a blocked attempt is listed until a decision about it is accepted, and so is the next attempt", async ({ store }) => {
    const { seq, id } = await startOwned(store);
    const blocked = (attempts: number) => openRecord("a", { state: "blocked", attempts, item: 3 });
    const listed = async () => (await store.blocked(9)).map(({ task, item, attempt }) => [task, item, attempt]);
    await write(store, { seq, epoch: 1 }, [blocked(1)]);
    assertEquals(await listed(), [["a", 3, 1]]);
    const decision = { task: "a", item: 3, payload: "1" };
    await store.send(id, { id: crypto.randomUUID(), attempt: 1, ...decision });
    assertEquals(await listed(), []);
    await write(store, { seq, epoch: 1 }, [blocked(2)]);
    assertEquals(await listed(), [["a", 3, 2]]);
  });

  test("a message that is sent again with the same id is the same message", async ({ store }) => {
    const { seq, id } = await startOwned(store);
    const message = { id: crypto.randomUUID(), task: "a", payload: "1" };
    for (let time = 0; time < 2; time++) assertEquals(await store.send(id, message), { kind: "done", accepted: true });
    assertEquals((await store.messages([seq])).length, 1);
  });

  test("a message to an unowned waiting run makes the run due, and its claim returns the message", async ({ store }) => {
    const { seq, id, runner } = await startOwned(store);
    await write(store, { seq, epoch: 1 }, [openRecord("a", { state: "waiting" })], WAITING);
    assertEquals(await claimed(store, claimBy(runner)), []);
    await send(store, id, "a", "1");
    assertEquals((await store.run(id))?.dueAt, T0);
    const { runs } = await store.claim(claimBy(runner));
    assertEquals(runs.map(({ seq, attention, hasMessages }) => [seq, attention, hasMessages]), [[seq, 1, true]]);
  });

  test("a message that arrives while the owner releases the run makes the run due", async ({ store }) => {
    const { seq, id, runner } = await startOwned(store);
    await send(store, id, "a", "1");
    await write(store, { seq, epoch: 1 }, [openRecord("a", { state: "waiting" })], WAITING);
    assertEquals(await claimed(store, claimBy(runner)), [seq]);
  });

  test("a message to a paused run is received after the run is resumed", async ({ store }) => {
    const { seq, id, runner } = await startOwned(store);
    await write(store, { seq, epoch: 1 }, [openRecord("a", { state: "waiting" })], WAITING);
    await store.control(id, { kind: "pause", reason: undefined });
    await send(store, id, "a", "1");
    assertEquals(await claimed(store, claimBy(runner)), []);
    await store.control(id, { kind: "resume" });
    assertEquals(await claimed(store, claimBy(runner)), [seq]);
  });

  test("a message does not start a delayed run early, and its first claim returns the message", async ({ store, clock }) => {
    const run = newRun({ dueAt: T0 + 1_000 });
    const [seq] = await start(store, run);
    const runner = await join(store);
    await send(store, run.id, "a", "1");
    assertEquals(await claimed(store, claimBy(runner)), []);
    clock.advance(1_000);
    const { runs } = await store.claim(claimBy(runner));
    assertEquals(runs.map((claimed) => [claimed.seq, claimed.hasMessages]), [[seq, true]]);
  });

  test("a closed mailbox accepts no message", async ({ store }) => {
    const { seq, id } = await startOwned(store);
    for (let time = 0; time < 2; time++) assertEquals(await store.closeMailbox(seq, "a"), { kind: "closed" });
    assertEquals(await send(store, id, "a", "1"), { kind: "done", accepted: false });
    assertEquals(await store.messages([seq]), []);
  });

  test("closing a mailbox that has a message fails, and returns the message", async ({ store }) => {
    const { seq, id } = await startOwned(store);
    await send(store, id, "a", "1");
    assertEquals(await store.closeMailbox(seq, "a"), { kind: "message", payload: "1" });
    assertEquals(await store.messages([seq]), [{ seq, task: "a", item: -1, attempt: 0, payload: "1" }]);
  });

  test("if a message and the end of the wait for it happen at once, exactly one succeeds", async ({ store, another }) => {
    const { seq, id } = await startOwned(store);
    const other = await another();
    for (let task = 0; task < 20; task++) {
      const [sent, mailbox] = await Promise.all([
        send(other, id, `t${task}`, "1"),
        store.closeMailbox(seq, `t${task}`),
      ]);
      assertEquals(sent.kind === "done" && sent.accepted, mailbox.kind === "message");
    }
  });

  test("a task that has ended accepts no message", async ({ store }) => {
    const { seq, id } = await startOwned(store);
    await write(store, { seq, epoch: 1 }, [record("a", { state: "skipped", output: undefined })]);
    assertEquals(await send(store, id, "a", "1"), { kind: "done", accepted: false });
  });

  test("a message to a run that has ended or does not exist is rejected with the reason", async ({ store }) => {
    const { seq, id } = await startOwned(store);
    await write(store, { seq, epoch: 1 }, [], { to: "completed", at: T0 });
    assertEquals(await send(store, id, "a", "1"), { kind: "ended", state: "completed" });
    assertEquals(await send(store, newRun().id, "a", "1"), { kind: "unknown" });
    assertEquals(await send(store, "no id", "a", "1"), { kind: "unknown" });
    assertEquals(await store.messages([seq]), []);
  });

  test("a restarted run waits again for messages whose wait had ended", async ({ store }) => {
    const { seq, id } = await startOwned(store);
    await store.closeMailbox(seq, "a");
    await send(store, id, "b", "1");
    const error = { name: "Error", message: "no" };
    await write(store, { seq, epoch: 1 }, [record("c", { state: "failed" })], { to: "failed", at: T0, error });
    assertEquals(await store.restart({ seq, epoch: 1 }, { retry: ["c"], forget: ["a", "b"] }), true);
    assertEquals(await store.messages([seq]), [{ seq, task: "b", item: -1, attempt: 0, payload: "1" }]);
    assertEquals(await send(store, id, "a", "2"), { kind: "done", accepted: true });
  });

  test("messages are deleted with their run", async ({ store }) => {
    const { seq, id } = await startOwned(store);
    await send(store, id, "a", "1");
    await write(store, { seq, epoch: 1 }, [], { to: "completed", at: T0 });
    await start(store, newRun());
    assertEquals(await store.prune(endedBefore(T0 + 1), 10), 1);
    assertEquals(await store.messages([seq]), []);
  });
}

const WAITING = { to: "waiting", dueAt: undefined, release: true } as const;

function send(store: Store, run: string, task: string, payload: string | undefined): Promise<SendResult> {
  return store.send(run, { id: crypto.randomUUID(), task, payload });
}
