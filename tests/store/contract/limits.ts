import { assert, assertEquals } from "@std/assert";
import type { LimitAnswer, LimitExchange, PermitAsk, PermitHolder, WhenFull } from "../../../lib/store/port/limits.ts";
import type { Store } from "../../../lib/store/port/store.ts";
import { type Case, claimBy, commit, join, newRun, start, startOwned, T0 } from "./fixture.ts";

/** Permits of units and runs, lanes, and starts of rate limits. */
export function limitContract(test: Case): void {
  test("as many units are granted as a limit has slots, in the order of their requests", async ({ store }) => {
    const { runner, ask } = await opened(store, { max: 2 });
    assertEquals(await granted(store, { runner, asks: [ask("a"), ask("b"), ask("c")] }), ["a", "b"]);
    assertEquals(await granted(store, { runner, asks: [ask("d")] }), []);
    assertEquals(await granted(store, { runner, releases: [ask("a")] }), ["c"]);
    assertEquals(await granted(store, { runner, releases: [ask("b"), ask("c")] }), ["d"]);
    await exchange(store, { runner, releases: [ask("d")] });
    assertEquals(await store.limits.lanes({ lanes: 10, permits: 10 }), []);
  });

  test("a unit that requests its slot again keeps it, and an unknown unit is reported", async ({ store }) => {
    const { runner, ask } = await opened(store, { max: 1 });
    assertEquals(await granted(store, { runner, asks: [ask("a"), ask("b")] }), ["a"]);
    assertEquals(await granted(store, { runner, asks: [ask("a"), ask("b")] }), ["a"]);
    const { granted: again, unknown } = await exchange(store, {
      runner,
      asks: [{ ...ask("a"), request: undefined }, { ...ask("c"), request: undefined }],
    });
    assertEquals([again.map(({ task }) => task), unknown.map(({ task }) => task)], [["a"], ["c"]]);
  });

  test("a unit that stops waiting leaves the queue", async ({ store }) => {
    const { runner, ask } = await opened(store, { max: 1 });
    await exchange(store, { runner, asks: [ask("a"), ask("b"), ask("c")] });
    assertEquals(await granted(store, { runner, releases: [ask("b")] }), []);
    assertEquals(await granted(store, { runner, releases: [ask("a")] }), ["c"]);
  });

  test("each key has its own lane", async ({ store }) => {
    const { runner, ask } = await opened(store, { max: 1 });
    const asks = [ask("a", ["x"]), ask("b", ["x"]), ask("c", ["y"]), ask("d", ["x", "1"])];
    assertEquals((await granted(store, { runner, asks })).sort(), ["a", "c", "d"]);
    assertEquals(await granted(store, { runner, releases: [ask("c")] }), []);
    assertEquals(await granted(store, { runner, releases: [ask("a")] }), ["b"]);
  });

  test("a unit needs slots of all its limits, and one that waits for a full limit does not block others", async ({ store }) => {
    const { runner, ask } = await opened(store, { max: 2 });
    await store.limits.deploy([{ name: "gpu", max: 1, perMs: undefined }], "runner");
    const both = (task: string): PermitAsk => ({
      ...ask(task),
      request: { weight: 1, lanes: [...ask(task).request!.lanes, { limit: "gpu", isRate: false, key: [] }] },
    });
    assertEquals(await granted(store, { runner, asks: [both("a"), both("b"), ask("c"), ask("d")] }), ["a", "c"]);
    assertEquals(await granted(store, { runner, releases: [ask("c")] }), ["d"]);
    assertEquals(await granted(store, { runner, releases: [ask("a")] }), ["b"]);
  });

  test("keys take turns, independent of the order of their requests", async ({ store }) => {
    const { runner, ask } = await opened(store, { max: 1 });
    const of = await sharing(store, ask);
    await exchange(store, { runner, asks: [of("first", ["z"])] });
    const flood = Array.from({ length: 40 }, (_, at) => of(`flood${at}`, ["a"]));
    await exchange(store, { runner, asks: flood });
    await exchange(store, { runner, asks: [of("b0", ["b"]), of("b1", ["b"]), of("c0", ["c"])] });
    const order = await drain(store, { runner, first: of("first", ["z"]), count: 7 });
    assertEquals(order.filter((task) => task.startsWith("b")), ["b0", "b1"]);
    assert(order.indexOf("c0") >= 0 && order.indexOf("c0") <= 2, order.join());
  });

  test("weights are shares, and many keys below one have the share of one", async ({ store }) => {
    const { runner, ask } = await opened(store, { max: 1 });
    const of = await sharing(store, ask);
    await exchange(store, { runner, asks: [of("first", ["z"])] });
    const asks = Array.from({ length: 30 }, (_, at) => [
      of(`heavy${at}`, ["h"], 3),
      of(`light${at}`, ["l"]),
      ...["1", "2", "3", "4"].map((job) => of(`split${at}${job}`, ["s", job])),
    ]).flat();
    await exchange(store, { runner, asks });
    const order = await drain(store, { runner, first: of("first", ["z"]), count: 50 });
    const share = (name: string): number => order.filter((task) => task.startsWith(name)).length;
    assert(Math.abs(share("heavy") - 30) <= 4, `heavy ${share("heavy")} of 50`);
    assert(Math.abs(share("light") - 10) <= 4, `light ${share("light")} of 50`);
    assert(Math.abs(share("split") - 10) <= 4, `split ${share("split")} of 50`);
  });

  test("unused lanes and queues are deleted in parts by exchanges with a cleanup", async ({ store }) => {
    const { runner, ask } = await opened(store, { max: 1 });
    const asks = Array.from({ length: 600 }, (_, at) => ask(`t${at}`, [`k${at}`]));
    await exchange(store, { runner, asks });
    assertEquals(await exchange(store, { runner, tidies: true }).then(({ isUntidy }) => isUntidy), false);
    await exchange(store, { runner, releases: asks.slice(1) });
    assertEquals((await store.limits.lanes({ lanes: 10, permits: 10 })).map(({ key }) => key), [["k0"]]);
    const untidy: boolean[] = [];
    for (let at = 0; at < 3; at++) untidy.push((await exchange(store, { runner, tidies: true })).isUntidy);
    assertEquals(untidy, [true, false, false]);
    assertEquals(await granted(store, { runner, asks: [ask("again", ["k0"]), ask("new", ["k1"])] }), ["new"]);
  });

  test("a key that has had its turn before others is remembered, also after a cleanup", async ({ store }) => {
    const { runner, ask } = await opened(store, { max: 1 });
    const of = await sharing(store, ask);
    await exchange(store, { runner, asks: [of("first", ["z"])] });
    await exchange(store, { runner, asks: Array.from({ length: 30 }, (_, at) => of(`often${at}`, ["often"])) });
    const order: string[] = [];
    let holder: PermitHolder = of("first", ["z"]);
    for (let at = 0; at < 25; at++) {
      // The other key has one permit at a time: while none waits, only the clock of its queue records its last turn.
      const isOut = order.length === 0 || order.at(-1) === "seldom";
      const [next] = (await exchange(store, { runner, releases: [holder], tidies: true })).granted;
      if (isOut) await exchange(store, { runner, asks: [of("seldom", ["seldom"], 0.25)], tidies: true });
      assert(next !== undefined);
      order.push(next.task);
      holder = next;
    }
    const turns = order.filter((task) => task === "seldom").length;
    assert(turns >= 4 && turns <= 6, order.join());
  });

  test("each of many keys has its turn before any has a second one, even if earlier keys are blocked", async ({ store }) => {
    const { runner, ask } = await opened(store, { max: 1 });
    const of = await sharing(store, ask);
    await store.limits.deploy([{ name: "each", max: 1, perMs: undefined }], "runner");
    const each = (task: string, key: string): PermitAsk => ({
      ...ask(task),
      request: { weight: 1, lanes: [{ limit: "each", isRate: false, key: [key] }] },
    });
    await exchange(store, { runner, asks: [of("first", ["first"])] });
    const keys = Array.from({ length: 150 }, (_, at) => `k${at}`);
    await exchange(store, { runner, asks: keys.slice(0, 70).map((key) => each(`holds ${key}`, key)) });
    await exchange(store, { runner, asks: keys.map((key) => of(`one ${key}`, [key])) });
    await exchange(store, { runner, asks: keys.map((key) => of(`two ${key}`, [key])) });
    const free = await drain(store, { runner, first: of("first", ["first"]), count: 81 });
    assertEquals(free.map((task) => task.split(" ")[1]), [...keys.slice(70), keys[70]]);
    const holds = keys.slice(0, 70).map((key) => each(`holds ${key}`, key));
    assertEquals(await granted(store, { runner, releases: holds }), []);
    const blocked = await drain(store, { runner, first: of(free.at(-1)!, [keys[70]!]), count: 70 });
    assertEquals(blocked.map((task) => task.split(" ")[1]), keys.slice(0, 70));
  });

  test("within a key, permits are granted by priority, then by age", async ({ store, clock }) => {
    const { runner, ask } = await opened(store, { max: 1 });
    await exchange(store, { runner, asks: [ask("first")] });
    await exchange(store, { runner, asks: [ask("a")] });
    clock.advance(1_000);
    await exchange(store, { runner, asks: [ask("b"), { ...ask("urgent"), priority: -1 }] });
    assertEquals(await drain(store, { runner, first: ask("first"), count: 3 }), ["urgent", "a", "b"]);
  });

  test("more slots are granted immediately when a limit is deployed with a higher number", async ({ store }) => {
    const { runner, ask } = await opened(store, { max: 1 });
    await exchange(store, { runner, asks: ["a", "b", "c", "d"].map((task) => ask(task)) });
    await store.limits.deploy([{ name: "l", max: 5, perMs: undefined }], "client");
    assertEquals((await store.limits.rules())[0]?.max, 1);
    await store.limits.deploy([{ name: "l", max: 3, perMs: undefined }], "runner");
    assertEquals((await store.limits.look(runner)).isStale, true);
    assertEquals(await granted(store, { runner, recovers: true }), ["b", "c"]);
    assertEquals((await store.limits.look(runner)).isStale, false);
    await store.limits.deploy([{ name: "l", max: 1, perMs: undefined }], "runner");
    assertEquals(await granted(store, { runner, releases: [ask("a"), ask("b")] }), []);
    assertEquals(await granted(store, { runner, releases: [ask("c")] }), ["d"]);
  });

  test("a start keeps its slot of a rate limit until the end of its period", async ({ store }) => {
    const { runner, ask } = await opened(store, { max: 1, perMs: 60_000 });
    const { granted: [first] } = await exchange(store, { runner, asks: [ask("a"), ask("b")] });
    assertEquals(first?.starts.map(({ limit }) => limit), ["l"]);
    assertEquals(await granted(store, { runner, releases: [ask("a")] }), []);
    const over = first!.starts.map(({ seq }) => seq);
    assertEquals(await granted(store, { runner, over }), ["b"]);
    // The slot of a start is released once.
    assertEquals(await granted(store, { runner, over, asks: [ask("c")] }), []);
  });

  test("after a stopped runner, other runners wait for the rest of a period, and after a dead one for a whole period", async ({ store, clock }) => {
    const { runner, ask } = await opened(store, { max: 2, perMs: 60_000 });
    const { granted: [a] } = await exchange(store, { runner, asks: [ask("a"), ask("b")] });
    await exchange(store, { runner, left: [{ ...a!.starts[0]!, leftMs: 10_000 }] });
    const other = await join(store, 60_000);
    clock.advance(4_000);
    assertEquals((await exchange(store, { runner: other, recovers: true })).takenOver.map(({ leftMs }) => leftMs), [
      6_000,
    ]);
    await store.recover({ dead: [runner], recoveryLimit: 5, limit: 10 });
    const { takenOver } = await exchange(store, { runner: other, recovers: true });
    assertEquals(takenOver.map(({ leftMs }) => leftMs), [60_000]);
    assertEquals((await exchange(store, { runner: other, recovers: true })).takenOver, []);
    // A period ends after its length, however many runners die.
    const third = await join(store, 60_000);
    clock.advance(20_000);
    await store.recover({ dead: [other], recoveryLimit: 5, limit: 10 });
    const again = (await exchange(store, { runner: third, recovers: true })).takenOver;
    assertEquals(again.map(({ leftMs }) => leftMs).toSorted((a, b) => a - b), [0, 40_000]);
  });

  test("setting the clock ahead or back does not end the period of a runner that has left", async ({ store, clock }) => {
    for (const stepMs of [3_600_000, -3_600_000]) {
      const { runner, ask } = await opened(store, { max: 1, perMs: 60_000 });
      const { granted: [a] } = await exchange(store, { runner, asks: [ask("a")] });
      await exchange(store, { runner, left: [{ ...a!.starts[0]!, leftMs: 50_000 }] });
      clock.advance(5_000);
      clock.set(stepMs);
      const other = await join(store, 60_000);
      clock.advance(10_000);
      const { takenOver: [start] } = await exchange(store, { runner: other, recovers: true });
      assert(start!.leftMs >= 35_000 && start!.leftMs <= 60_000, `${start!.leftMs} ms are left`);
      await exchange(store, { runner: other, over: [start!.seq], releases: [ask("a")] });
    }
  });

  test("a start that was granted to a unit that has left is taken by the next owner, or ends with its permit", async ({ store }) => {
    const { runner, ask, seq } = await opened(store, { max: 2, perMs: 60_000 });
    const { granted: [a, b] } = await exchange(store, { runner, asks: [ask("a"), ask("b"), ask("c")] });
    const unbegun = [...a!.starts, ...b!.starts].map(({ seq }) => seq);
    await exchange(store, { runner, untaken: [ask("a"), ask("b")], unbegun });
    const other = await join(store, 60_000);
    const { granted: [taken] } = await exchange(store, { runner: other, asks: [{ ...ask("a"), request: undefined }] });
    assertEquals(taken, { run: seq, task: "a", item: -1, starts: a!.starts });
    // A start that was taken ends at the end of its period.
    assertEquals(await granted(store, { runner, releases: [ask("a")] }), []);
    assertEquals(await granted(store, { runner, releases: [ask("b")] }), ["c"]);
  });

  test("a poll finds units of a runner to which another exchange has granted slots", async ({ store }) => {
    const { runner, ask } = await opened(store, { max: 1 });
    const second = await startOwned(store);
    const wanted = { ...ask("b"), run: second.seq };
    await exchange(store, { runner: second.runner, asks: [wanted] });
    const looks = async () =>
      (await Promise.all([runner, second.runner].map((id) => store.limits.look(id)))).map(({ isGranted }) => isGranted);
    assertEquals(await looks(), [false, false]);
    await exchange(store, { runner: second.runner, untaken: [wanted] });
    assertEquals(await looks(), [false, true]);
    await exchange(store, { runner: second.runner, asks: [{ ...wanted, request: undefined }] });
    assertEquals(await looks(), [false, false]);
  });

  test("the permits of a dead runner are released, except those that belong to a run", async ({ store }) => {
    const { runner, ask } = await opened(store, { max: 2 });
    await exchange(store, { runner, asks: [ask("a"), { ...ask("child"), isLasting: true }] });
    const other = await join(store, 60_000);
    const { seq } = await startOwned(store);
    const asks = [{ ...ask("x"), run: seq }, { ...ask("y"), run: seq }];
    assertEquals(await granted(store, { runner: other, asks }), []);
    await store.recover({ dead: [runner], recoveryLimit: 5, limit: 10 });
    assertEquals((await store.limits.look(runner)).isStale, true);
    await exchange(store, { runner: other, recovers: true });
    const lane = await theLane(store);
    assertEquals([lane.held, lane.waiting, lane.holders.map(({ task }) => task)], [2, 1, ["child", "x"]]);
  });

  test("a unit whose runner has died keeps its turn until its next request", async ({ store, clock }) => {
    const { runner, ask, id, seq } = await opened(store, { max: 1 });
    await exchange(store, { runner, asks: [ask("a")] });
    clock.advance(1_000);
    const other = await join(store, 60_000);
    const { seq: second } = await startOwned(store);
    const younger = (task: string): PermitAsk => ({ ...ask(task), run: second });
    await exchange(store, { runner: other, asks: [younger("b"), younger("c")] });
    await store.recover({ dead: [runner], recoveryLimit: 5, limit: 10 });
    await exchange(store, { runner: other, recovers: true });
    assertEquals(await claimedIds(store, other), [id]);
    const lane = await theLane(store);
    assertEquals([lane.holders.map(({ task }) => task), lane.waiters.map(({ task }) => task)], [["b"], ["c"]]);
    assertEquals(await granted(store, { runner: other, asks: [ask("a")] }), []);
    assertEquals((await theLane(store)).waiters.map(({ task, since }) => [task, since]), [["a", T0], [
      "c",
      T0 + 1_000,
    ]]);
    assertEquals(await granted(store, { runner: other, releases: [younger("b")] }), ["a"]);
    await exchange(store, { runner: other, releases: [{ ...ask("a"), run: seq }, younger("c")] });
    assertEquals(await store.limits.lanes({ lanes: 10, permits: 10 }), []);
  });

  test("a unit that postpones its granted permit lets others pass, and keeps its turn", async ({ store }) => {
    const { runner, ask } = await opened(store, { max: 1, perMs: 60_000 });
    const { granted: [a] } = await exchange(store, { runner, asks: [ask("a"), ask("b"), ask("c")] });
    const over = a!.starts.map(({ seq }) => seq);
    const { granted: [b] } = await exchange(store, { runner, postponed: [ask("a")], over });
    assertEquals(b?.task, "b");
    // Its next request is a new one.
    const { unknown } = await exchange(store, { runner, asks: [{ ...ask("a"), request: undefined }] });
    assertEquals(unknown.map(({ task }) => task), ["a"]);
    assertEquals(await granted(store, { runner, asks: [ask("d"), ask("a")] }), []);
    const order: string[] = [];
    for (let holder = b; holder !== undefined && order.length < 3;) {
      const next = await exchange(store, { runner, releases: [holder], over: holder.starts.map(({ seq }) => seq) });
      holder = next.granted[0];
      order.push(holder!.task);
    }
    assertEquals(order, ["a", "c", "d"]);
  });

  test("a unit with a higher priority than all waiting units is granted a free slot on request, however many wait", async ({ store, clock }) => {
    const { runner, ask } = await opened(store, { max: 1 });
    await exchange(store, { runner, asks: [ask("first")] });
    clock.advance(1_000);
    await exchange(store, { runner, asks: Array.from({ length: 100 }, (_, at) => ask(`t${at}`)) });
    const urgent = { ...ask("urgent"), priority: -1 };
    assertEquals(await granted(store, { runner, releases: [ask("first")], asks: [urgent] }), ["urgent"]);
  });

  test("no row of a unit that has postponed its permit remains when its run has ended", async ({ store }) => {
    const { runner, ask, id } = await opened(store, { max: 1 });
    await exchange(store, { runner, asks: [ask("a")] });
    await exchange(store, { runner, postponed: [ask("a")] });
    assertEquals((await store.limits.look(runner)).isStale, false);
    const { seq } = (await store.run(id))!;
    await commit(store, { writes: [{ seq, epoch: 1, records: [], move: { to: "completed", at: T0 } }] });
    assertEquals((await store.limits.look(runner)).isStale, true);
    await exchange(store, { runner, recovers: true });
    assertEquals((await store.limits.look(runner)).isStale, false);
  });

  test("a unit of a run without an owner that is granted its slots makes the run due", async ({ store }) => {
    const { runner, ask, seq } = await opened(store, { max: 1 });
    const second = await startOwned(store);
    const wanted = { ...ask("b"), run: second.seq };
    await exchange(store, { runner, asks: [ask("a")] });
    await exchange(store, { runner: second.runner, asks: [wanted] });
    await commit(store, {
      writes: [{ seq: second.seq, epoch: 1, records: [], move: { to: "waiting", dueAt: undefined, release: true } }],
    });
    assertEquals(await claimedIds(store, runner), []);
    const answer = await exchange(store, { runner, releases: [{ ...ask("a"), run: seq }] });
    assertEquals([answer.granted, answer.isDue], [[], true]);
    assertEquals(await claimedIds(store, runner), [second.id]);
    // The next owner takes it.
    assertEquals(await granted(store, { runner, asks: [{ ...wanted, request: undefined }] }), ["b"]);
  });

  test("a run that was released while one of its units was granted slots is found", async ({ store }) => {
    const { runner, ask } = await opened(store, { max: 1 });
    const second = await startOwned(store);
    await exchange(store, { runner, asks: [ask("a")] });
    await exchange(store, { runner: second.runner, asks: [{ ...ask("b"), run: second.seq }] });
    // Its owner has not been notified yet.
    await exchange(store, { runner, releases: [ask("a")] });
    await commit(store, {
      writes: [{ seq: second.seq, epoch: 1, records: [], move: { to: "waiting", dueAt: undefined, release: true } }],
    });
    assertEquals(await claimedIds(store, runner), []);
    assertEquals((await store.limits.look(runner)).isStale, true);
    assertEquals((await exchange(store, { runner, recovers: true })).isDue, true);
    assertEquals(await claimedIds(store, runner), [second.id]);
  });

  test("a run with limits is not claimed before it has its slots, and keeps them until it has ended", async ({ store }) => {
    const { runner } = await opened(store, { max: 1 });
    const [one, two] = [limited(), limited()];
    await start(store, one);
    await start(store, two);
    assertEquals(await claimedIds(store, runner), []);
    assertEquals((await exchange(store, { runner })).isDue, true);
    assertEquals(await claimedIds(store, runner), [one.id]);
    assertEquals((await store.run(two.id))?.state, "waiting");
    const { seq } = (await store.run(one.id))!;
    await commit(store, { writes: [{ seq, epoch: 1, records: [], move: { to: "completed", at: T0 } }] });
    assertEquals((await exchange(store, { runner, ended: [seq] })).isDue, true);
    assertEquals(await claimedIds(store, runner), [two.id]);
  });

  test("the slots of a run whose runner has not reported its end are released", async ({ store }) => {
    const { runner } = await opened(store, { max: 1 });
    const [one, two] = [limited(), limited()];
    await start(store, one);
    await start(store, two);
    await exchange(store, { runner });
    await store.control(one.id, { kind: "cancel", reason: undefined });
    assertEquals((await store.limits.look(runner)).isStale, true);
    await exchange(store, { runner, recovers: true });
    assertEquals(await claimedIds(store, runner), [two.id]);
    // A waiting run that is cancelled leaves the queue, too.
    const three = limited();
    await start(store, three);
    await exchange(store, { runner });
    await store.control(three.id, { kind: "cancel", reason: undefined });
    const { seq } = (await store.run(two.id))!;
    await commit(store, { writes: [{ seq, epoch: 1, records: [], move: { to: "completed", at: T0 } }] });
    await exchange(store, { runner, ended: [seq] });
    assertEquals(await store.limits.lanes({ lanes: 10, permits: 10 }), []);
  });

  test("a delayed run requests its slots when it is due", async ({ store, clock }) => {
    const { runner } = await opened(store, { max: 1 });
    const later = limited({ dueAt: T0 + 5_000 });
    await start(store, later);
    const { isDue, nextAt } = await exchange(store, { runner });
    assertEquals([isDue, nextAt, (await store.limits.look(runner)).nextAt], [false, T0 + 5_000, T0 + 5_000]);
    clock.advance(5_000);
    assertEquals((await exchange(store, { runner })).isDue, true);
    assertEquals(await claimedIds(store, runner), [later.id]);
  });

  test("a paused run leaves its turn to others", async ({ store }) => {
    const { runner } = await opened(store, { max: 1 });
    const runs = [limited(), limited(), limited()];
    for (const run of runs) await start(store, run);
    await exchange(store, { runner });
    await store.control(runs[1]!.id, { kind: "pause", reason: undefined });
    const { seq } = (await store.run(runs[0]!.id))!;
    assertEquals(await claimedIds(store, runner), [runs[0]!.id]);
    await commit(store, { writes: [{ seq, epoch: 1, records: [], move: { to: "completed", at: T0 } }] });
    await exchange(store, { runner, ended: [seq] });
    assertEquals(await claimedIds(store, runner), [runs[2]!.id]);
    await store.control(runs[1]!.id, { kind: "resume" });
    assertEquals(await claimedIds(store, runner), []);
    const last = (await store.run(runs[2]!.id))!.seq;
    await commit(store, { writes: [{ seq: last, epoch: 1, records: [], move: { to: "completed", at: T0 } }] });
    await exchange(store, { runner, ended: [last] });
    assertEquals(await claimedIds(store, runner), [runs[1]!.id]);
  });

  test("a run that is paused when it requests its slots is granted none until it is resumed", async ({ store }) => {
    const { runner } = await opened(store, { max: 1 });
    const [paused, other] = [limited(), limited()];
    await start(store, paused);
    await store.control(paused.id, { kind: "pause", reason: undefined });
    await start(store, other);
    await exchange(store, { runner });
    assertEquals(await claimedIds(store, runner), [other.id]);
    const { seq } = (await store.run(other.id))!;
    await commit(store, { writes: [{ seq, epoch: 1, records: [], move: { to: "completed", at: T0 } }] });
    await exchange(store, { runner, ended: [seq] });
    await store.control(paused.id, { kind: "resume" });
    assertEquals(await claimedIds(store, runner), []);
    assertEquals((await store.limits.look(runner)).isStale, true);
    await exchange(store, { runner, recovers: true });
    assertEquals(await claimedIds(store, runner), [paused.id]);
  });

  test("a start that does not wait is deleted if there is no free slot, and such a child run fails", async ({ store }) => {
    const { runner } = await opened(store, { max: 1 });
    const [one, two, child] = [limited({}, "reject"), limited({}, "reject"), limited({}, "reject")];
    await start(store, one);
    assertEquals((await exchange(store, { runner, started: [one.id] })).rejected, []);
    await start(store, two);
    await start(store, child);
    assertEquals((await exchange(store, { runner, started: [two.id] })).rejected.map(({ id }) => id), [
      two.id,
      child.id,
    ]);
    assertEquals(await store.run(two.id), undefined);
    const row = await store.run(child.id);
    assertEquals([row?.state, row?.error?.code], ["failed", "limit_reached"]);
    const lane = await theLane(store);
    assertEquals([lane.held, lane.waiting], [1, 0]);
  });

  test("the oldest runs are replaced by newer ones", async ({ store }) => {
    const { runner } = await opened(store, { max: 1 });
    const runs = [limited({}, "replace"), limited({}, "replace"), limited({}, "replace")];
    const replaced: string[][] = [];
    for (const run of runs) {
      await start(store, run);
      const answer = await exchange(store, { runner });
      replaced.push(answer.replaced.map(({ id }) => id));
      for (const { id } of answer.replaced) await store.control(id, { kind: "cancel", reason: "replaced" });
    }
    assertEquals(replaced, [[], [runs[0]!.id], [runs[1]!.id]]);
    await exchange(store, { runner, recovers: true });
    assertEquals(await claimedIds(store, runner), [runs[2]!.id]);
  });

  test("lanes are read with the holders of slots and the waiting permits", async ({ store, clock }) => {
    const { runner, ask, id } = await opened(store, { max: 1 });
    await exchange(store, { runner, asks: [ask("a", ["k"])] });
    clock.advance(10);
    await exchange(store, { runner, asks: [{ ...ask("b", ["k"]), item: 3 }, ask("c", ["other"])] });
    const unit = (task: string, since: number, item?: number) => ({ runId: id, workflow: "etl", task, item, since });
    assertEquals(await store.limits.lanes({ limit: "l", lanes: 1, permits: 10 }), [{
      limit: "l",
      isRate: false,
      key: ["k"],
      max: 1,
      perMs: undefined,
      held: 1,
      waiting: 1,
      holders: [unit("a", T0)],
      waiters: [unit("b", T0 + 10, 3)],
    }]);
    assertEquals((await store.limits.lanes({ lanes: 10, permits: 0 })).length, 2);
    assertEquals(await store.limits.lanes({ limit: "no", lanes: 10, permits: 1 }), []);
  });

  test("the waiting permits of a run are read by task, with their lanes and the permits before them", async ({ store, clock }) => {
    const { runner, ask, seq, id } = await opened(store, { max: 1 });
    await store.limits.deploy([{ name: "rate", max: 1, perMs: 60_000 }], "runner");
    const rate = { limit: "rate", isRate: true, key: [] };
    const both = (task: string, item: number): PermitAsk => ({
      ...ask(task),
      item,
      request: { weight: 1, lanes: [...ask(task, ["k"]).request!.lanes, rate] },
    });
    const second = await startOwned(store);
    const other = (task: string): PermitAsk => ({ ...ask(task), run: second.seq });
    await exchange(store, { runner, asks: [other("a"), other("b"), both("m", 0)] });
    clock.advance(10);
    await exchange(store, { runner, asks: [ask("c"), ask("d", ["k"]), both("m", 1), both("m", 2), other("e")] });
    const lane = { key: [] as string[], max: 1, held: 1, holders: [], waiters: [] };
    const slot = { ...lane, limit: "l", isRate: false, perMs: undefined };
    const holder = { workflow: "etl", item: undefined, since: T0 };
    const ofM = [
      { ...slot, key: ["k"], waiting: 3, holders: [{ ...holder, runId: id, task: "m", item: 0 }] },
      { ...lane, ...rate, perMs: 60_000, waiting: 2 },
    ];
    const ofC = [{ ...slot, waiting: 3, holders: [{ ...holder, runId: second.id, task: "a" }] }];
    const since = T0 + 10;
    assertEquals(await store.limits.waits({ run: seq, waits: 10, holders: 1 }), [
      { task: "m", items: 2, ofTask: 2, since, ahead: 0, lanes: ofM },
      { task: "c", items: undefined, ofTask: 1, since, ahead: 1, lanes: ofC },
      { task: "d", items: undefined, ofTask: 1, since, ahead: 0, lanes: ofM.slice(0, 1) },
    ]);
    assertEquals((await store.limits.waits({ run: seq, waits: 1, holders: 0 })).map(({ task }) => task), ["m"]);
    assertEquals(await store.limits.waits({ run: seq + 100, waits: 1, holders: 1 }), []);
  });

  test("the lanes of each limit are summed up", async ({ store }) => {
    const { runner, ask } = await opened(store, { max: 1 });
    await store.limits.deploy([{ name: "idle", max: 1, perMs: undefined }], "runner");
    const asks = [ask("a", ["x"]), ask("b", ["x"]), ask("c", ["y"]), ask("d", ["x"])];
    await exchange(store, { runner, asks });
    const idle = { limit: "idle", lanes: 0, held: 0, waiting: 0 };
    assertEquals(await store.limits.totals(10), [idle, { limit: "l", lanes: 2, held: 2, waiting: 2 }]);
    assertEquals(await store.limits.totals(1), [idle]);
  });

  test("stores that grant concurrently never grant more slots than there are", async ({ store, another }) => {
    const { runner, ask } = await opened(store, { max: 3 });
    const other = await another();
    const asks = Array.from({ length: 20 }, (_, at) => ask(`t${at}`));
    const answers = await Promise.all(
      asks.map((one, at) => exchange(at % 2 === 0 ? store : other, { runner, asks: [one] })),
    );
    assertEquals(answers.flatMap(({ granted }) => granted).length, 3);
    const lane = await theLane(store);
    assertEquals([lane.held, lane.waiting], [3, 17]);
  });
}

const LANE = { limit: "l", isRate: false } as const;

function limited(options: { readonly dueAt?: number } = {}, whenFull: WhenFull = "wait") {
  return newRun({ ...options, limits: { lanes: [{ ...LANE, key: [] }], weight: 1, whenFull } });
}

async function claimedIds(store: Store, runner: number): Promise<string[]> {
  return (await store.claim(claimBy(runner))).runs.map(({ id }) => id);
}

/** Returns a function that creates requests of units, each with its own key, for one lane. */
async function sharing(store: Store, ask: (task: string) => PermitAsk) {
  await store.limits.deploy([{ name: "each", max: 1_000, perMs: undefined }], "runner");
  return (task: string, key: readonly string[], weight = 1): PermitAsk => ({
    ...ask(task),
    request: { weight, lanes: [...ask(task).request!.lanes, { limit: "each", isRate: false, key }] },
  });
}

/** A runner with a run, and a limit. */
async function opened(store: Store, { max, perMs }: { readonly max: number; readonly perMs?: number }) {
  const { seq, id, runner } = await startOwned(store);
  await store.limits.deploy([{ name: "l", max, perMs }], "runner");
  const isRate = perMs !== undefined;
  const ask = (task: string, key: readonly string[] = []): PermitAsk => ({
    run: seq,
    task,
    item: -1,
    priority: 0,
    isLasting: false,
    request: { lanes: [{ limit: "l", isRate, key }], weight: 1 },
  });
  return { runner, seq, id, ask };
}

function exchange(store: Store, request: LimitExchange): Promise<LimitAnswer> {
  return store.limits.exchange(request);
}

async function granted(store: Store, request: LimitExchange): Promise<string[]> {
  return (await exchange(store, request)).granted.map(({ task }) => task);
}

/** Releases what holds the only slot, one after the other; returns the order of the grants. */
async function drain(
  store: Store,
  { runner, first, count }: { readonly runner: number; readonly first: PermitHolder; readonly count: number },
): Promise<string[]> {
  const order: string[] = [];
  let holder = first;
  while (order.length < count) {
    const [next] = (await exchange(store, { runner, releases: [holder] })).granted;
    assert(next !== undefined, `nothing was granted after ${order.join()}`);
    order.push(next.task);
    holder = next;
  }
  return order;
}

async function theLane(store: Store) {
  const [lane] = await store.limits.lanes({ lanes: 1, permits: 10 });
  assert(lane !== undefined);
  return lane;
}
