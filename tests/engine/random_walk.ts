/**
 * Carries a random graph from its beginning to its end through random events, and compares the machine with the naive
 * model after each of them. What a run needs besides a machine is played here: bodies, timers and a journal that knows
 * only what was committed, so that the runner can die at any moment.
 */
import { assert, assertEquals } from "@std/assert";
import { type Effect, happen } from "../../lib/engine/machine.ts";
import { progressOf, type Recorded, type RunProgress } from "../../lib/engine/progress.ts";
import { type Answer, type Event, type Model, newModel } from "./naive_model.ts";
import { type Graph, planOfGraph, type Random } from "./random_graph.ts";

/** How a walk ended. */
export interface WalkEnd {
  /** What the run ended as. */
  readonly as: "completed" | "failed" | "cancelled";
  /** What the journal says of each task in the end. */
  readonly states: readonly (Recorded["state"] | undefined)[];
  /** Steps that it took. */
  readonly steps: number;
}

/** What may happen on a walk besides the work itself. */
export interface Disturbances {
  /** The runner dies, and another goes on from the journal. */
  readonly crashes?: boolean;
  /** The run is paused and resumed. */
  readonly pauses?: boolean;
  /** The runner stops: bodies end or are given up, and the run is handed back. */
  readonly stops?: boolean;
  /** The run is cancelled, or its time is over. */
  readonly closes?: boolean;
}

/** What one process knows of a run. */
interface Life {
  readonly progress: RunProgress;
  readonly model: Model;
  /** Rows that are to be written. */
  readonly unsent: Recorded[];
  /** Ends that are durable without the machine's having been told. */
  readonly untold: number[];
  readonly bodies: Set<number>;
  readonly timers: Map<number, number>;
  /** Tasks whose `when` has answered yes in this life. */
  readonly admitted: Set<number>;
  parkedUntil: number | undefined;
  isStopping: boolean;
  isReleased: boolean;
  ended: WalkEnd["as"] | undefined;
}

const MOST_STEPS = 5_000;

/** Walks to the end of the run. */
export function walk(graph: Graph, random: Random, disturbances: Disturbances = {}): WalkEnd {
  const plan = planOfGraph(graph);
  const journal = new Map<number, Recorded>();
  const deferrals = graph.tasks.map((task) => task.deferrals);
  /** Tasks whose `when` is known, by the journal, to have answered yes. */
  const durablyAdmitted = new Set<number>();
  let closing: "cancelled" | "failed" | undefined;
  let now = 0;
  let life = newLife();
  begin();
  for (let steps = 0; steps < MOST_STEPS; steps++) {
    if (life.ended !== undefined && life.unsent.length === 0) {
      assertEquals(happen(plan, life.progress, { type: "paused" }), [], "something happened after the end");
      return { as: life.ended, states: graph.tasks.map((_, number) => journal.get(number)?.state), steps };
    }
    const choices = [...work(), ...disturb()];
    assert(choices.length > 0, "the run is stuck: nothing runs, waits or is to be written, and it has not ended");
    random.pick(choices)();
  }
  throw new Error(`the run has not ended after ${MOST_STEPS} steps`);

  function newLife(): Life {
    const known = [...journal.values()];
    return {
      progress: progressOf(plan, known),
      model: newModel(graph, known),
      unsent: [],
      untold: [],
      bodies: new Set(),
      timers: new Map(),
      admitted: new Set(durablyAdmitted),
      parkedUntil: undefined,
      isStopping: false,
      isReleased: false,
      ended: undefined,
    };
  }

  function begin(): void {
    tell({ type: "begun" });
    if (closing !== undefined) tell({ type: "closed", as: closing });
  }

  /** Another process takes the run up. */
  function born(): void {
    life = newLife();
    begin();
  }

  /** What goes on by itself. */
  function work(): (() => void)[] {
    const { unsent, untold, bodies, timers, isReleased, isStopping, ended } = life;
    if (unsent.length > 0) return [...rest(), flush, flush];
    if (isReleased) return [born];
    if (isStopping && bodies.size === 0 && ended === undefined) return [born];
    return rest();

    function rest(): (() => void)[] {
      if (isReleased || ended !== undefined) return [];
      return [
        ...(untold.length > 0 ? [() => tell({ type: "recorded", task: untold.shift()! })] : []),
        ...[...bodies].map((task) => () => goOn(task)),
        ...[...timers].map(([task, dueAt]) => () => {
          now = Math.max(now, dueAt);
          timers.delete(task);
          tell({ type: "due", task });
        }),
      ];
    }
  }

  function disturb(): (() => void)[] {
    const choices: (() => void)[] = [];
    const { progress, bodies, isReleased, isStopping, ended } = life;
    if (disturbances.crashes === true && random.chance(0.1)) choices.push(born);
    if (isReleased || ended !== undefined) return choices;
    if (progress.phase === "paused") choices.push(() => tell({ type: "resumed" }));
    if (isStopping) return choices;
    if (disturbances.pauses === true && random.chance(0.2)) choices.push(() => tell({ type: "paused" }));
    if (disturbances.stops === true && random.chance(0.1)) choices.push(() => void (life.isStopping = true));
    // A body that takes long is marked in the journal, but not while its `when` is asked.
    const long = [...bodies].filter((task) => graph.tasks[task]!.when === undefined || progress.tasks[task]!.admitted);
    if (long.length > 0 && random.chance(0.2)) choices.push(() => write(random.pick(long)));
    if (disturbances.closes === true && random.chance(0.05)) {
      choices.push(() => {
        closing ??= random.chance(0.5) ? "cancelled" : "failed";
        tell({ type: "closed", as: closing });
      });
    }
    if (closing !== undefined && random.chance(0.3)) choices.push(() => tell({ type: "graceOver" }));
    return choices;
  }

  /** A body goes on: it is asked whether it may, or ends. */
  function goOn(number: number): void {
    const { progress, bodies, admitted, isStopping } = life;
    const task = graph.tasks[number]!;
    const { attempts, admitted: isAdmitted } = progress.tasks[number]!;
    if (isStopping && random.chance(0.5)) return end({ type: "abandoned", task: number });
    if (task.when !== undefined) {
      assertEquals(isAdmitted, admitted.has(number), `whether \`when\` of task ${number} has answered`);
      if (!isAdmitted && attempts <= task.whenThrows) return fail();
      if (!isAdmitted && !task.when) return end({ type: "declined", task: number });
      if (!isAdmitted) {
        admitted.add(number);
        return tell({ type: "admitted", task: number });
      }
    }
    if (deferrals[number]! > 0 && closing === undefined) {
      deferrals[number]!--;
      return end({ type: "deferred", task: number, dueAt: now + 1 + random.below(50) });
    }
    if (task.attempts[attempts - 1] === "completes") return end({ type: "completed", task: number });
    fail();

    function fail(): void {
      const isLast = attempts >= task.attempts.length || closing !== undefined;
      end({ type: "failed", task: number, retryAt: isLast ? undefined : now + 1 + random.below(50) });
    }

    function end(event: Event): void {
      bodies.delete(number);
      tell(event);
    }
  }

  /** A commit: everything that was to be written so far. */
  function flush(): void {
    for (const record of life.unsent.splice(0)) {
      const before = journal.get(record.task);
      assert(before === undefined || !isEnd(before), `task ${record.task} ended twice`);
      journal.set(record.task, record);
      if (isEnd(record)) life.untold.push(record.task);
      if (life.admitted.has(record.task)) durablyAdmitted.add(record.task);
    }
  }

  function write(number: number): void {
    const { state, attempts, dueAt, reason } = life.progress.tasks[number]!;
    life.unsent.push({
      task: number,
      state,
      attempts: state === "running" ? attempts - 1 : attempts,
      dueAt: state === "waiting" ? dueAt : undefined,
      reason,
    });
  }

  /** Tells both what happened, compares their answers and does what they say. */
  function tell(event: Event): void {
    const effects = happen(plan, life.progress, event);
    const expected = life.model.tell(event);
    assertEquals(answerOf(effects), expected, `after ${JSON.stringify(event)}`);
    for (const effect of effects) perform(effect);
    compareTasks();
    comparePark(event, effects.some((effect) => effect.do === "park"));
  }

  function perform(effect: Effect): void {
    switch (effect.do) {
      case "start":
        assert(
          graph.tasks[effect.task]!.after.every((before) => journal.has(before) && isEnd(journal.get(before)!)),
          `task ${effect.task} started before the ends of its dependencies were durable`,
        );
        assertEquals(life.bodies.has(effect.task), false, `task ${effect.task} started twice`);
        assertEquals(
          closing === undefined || life.progress.phase === "active",
          true,
          "something started while closing",
        );
        life.bodies.add(effect.task);
        life.parkedUntil = undefined;
        return;
      case "record":
        return write(effect.task);
      case "wait":
        return void life.timers.set(effect.task, effect.dueAt);
      case "park":
        life.parkedUntil = effect.dueAt;
        return;
      case "release":
        life.isReleased = true;
        return;
      case "abort":
        return;
      case "end":
        assertEquals(life.ended, undefined, "the run ended twice");
        life.ended = effect.as;
        return;
    }
  }

  function compareTasks(): void {
    if (life.progress.phase === "ended") return;
    const actual = life.progress.tasks.map(({ state, attempts }) => ({ state, attempts }));
    const expected = life.model.tasks.map(({ end, body, attempts }) => ({
      state: end ?? (body === "none" ? "pending" : body),
      attempts,
    }));
    assertEquals(actual, expected);
    assertEquals(life.progress.phase, life.model.phase);
  }

  /** Parked is exactly what has nothing to do but to wait. */
  function comparePark(event: Event, isParked: boolean): void {
    const { progress, model } = life;
    if (progress.phase !== "active" || event.type === "abandoned" || model.tasks.some(({ isHeld }) => isHeld)) return;
    const open = model.tasks.filter(({ end }) => end === undefined);
    const isWaiting = open.some(({ body }) => body === "waiting");
    const isBusy = model.tasks.some(({ body }, number) => body === "running" || isArmed(number));
    if (!isWaiting || isBusy) return assertEquals(isParked, false, "it was parked with something to do");
    const dueAt = Math.min(...open.flatMap((task) => task.body === "waiting" ? [task.dueAt] : []));
    assertEquals(life.parkedUntil, dueAt, "until when the run is parked");
  }

  /** Whether a task only waits for a commit to start. */
  function isArmed(number: number): boolean {
    const { end, body } = life.model.tasks[number]!;
    return end === undefined && body === "none" &&
      graph.tasks[number]!.after.every((before) => life.model.tasks[before]!.end !== undefined);
  }
}

function isEnd({ state }: Recorded): boolean {
  return state === "completed" || state === "failed" || state === "skipped";
}

/** The machine's answer in the words of the model: as sets, with the end in its place. */
function answerOf(effects: readonly Effect[]): Answer {
  const of = (what: "start" | "record" | "wait"): number[] =>
    effects.flatMap((effect) => effect.do === what ? [effect.task] : []);
  const ends = effects.flatMap((effect) => effect.do === "end" ? [effect.as] : []);
  assert(ends.length <= 1, "two ends in one answer");
  if (ends.length === 1) assertEquals(effects.at(-1)?.do, "end", "something comes after the end");
  return {
    starts: of("start").toSorted(byNumber),
    records: of("record").toSorted(byNumber),
    waits: of("wait").toSorted(byNumber),
    end: ends[0],
    release: effects.some((effect) => effect.do === "release"),
    abort: effects.some((effect) => effect.do === "abort"),
  };
}

function byNumber(a: number, b: number): number {
  return a - b;
}
