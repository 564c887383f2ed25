/**
 * Drives a random graph from its beginning to its end through random events, and compares the machine with the naive
 * model after each of them. The rest of a run is simulated here: bodies, waits and a journal that holds
 * only what was committed, so that the runner can die at any moment.
 */
import { assert, assertEquals } from "@std/assert";
import { advance } from "../../lib/engine/machine/machine.ts";
import type { Command, MachineEvent } from "../../lib/engine/machine/machine_protocol.ts";
import {
  hasEnded,
  isChildWait,
  newRunState,
  NO_ITEM,
  type RecordedUnit,
  type RunState,
  Unit,
  type UnitState,
  type Wake,
  type WokenBy,
} from "../../lib/engine/machine/run_state.ts";
import {
  type Answer,
  endOf,
  type Event,
  type Id,
  isBusy,
  type Model,
  type ModelUnit,
  newModel,
  textOf,
} from "./naive_model.ts";
import type { Random } from "../random.ts";
import { type Behaviour, type Graph, planOfGraph } from "./random_graph.ts";

/** How a walk ended. */
export interface WalkEnd {
  /** What the run ended as. */
  readonly as: "completed" | "failed" | "cancelled";
  /** What the journal says of each unit in the end, by the text of its id. */
  readonly states: ReadonlyMap<string, UnitState>;
  /** Steps that it took. */
  readonly steps: number;
}

/** What may happen on a walk in addition to the work itself. */
export interface Disturbances {
  /** The runner dies, and another one resumes from the journal. */
  readonly crashes?: boolean;
  /** The run is paused and resumed. */
  readonly pauses?: boolean;
  /** The runner stops: bodies end or are given up, and the run is handed back. */
  readonly stops?: boolean;
  /** The run is cancelled, or times out. */
  readonly cancels?: boolean;
}

/** What one process knows of a run. */
interface Life {
  readonly state: RunState;
  readonly model: Model;
  /** Rows to be written. */
  readonly unsent: { readonly row: RecordedUnit; readonly unit: Unit }[];
  /** Ends and expansions that are durable while the machine has not been notified. */
  readonly unreported: { readonly unit: Unit; readonly isExpansion: boolean }[];
  readonly bodies: Set<Unit>;
  readonly waits: Map<Unit, { readonly wake: Wake; readonly until: number | undefined }>;
  /** Nodes whose condition passed in this life. */
  readonly passed: Set<number>;
  parkedUntil: number | "never" | "not parked";
  isStopping: boolean;
  isReleased: boolean;
  ended: WalkEnd["as"] | undefined;
}

const MOST_STEPS = 10_000;

/** Walks to the end of the run. */
export function walk(graph: Graph, random: Random, disturbances: Disturbances = {}): WalkEnd {
  const plan = planOfGraph(graph);
  const journal = new Map<string, RecordedUnit>();
  const deferrals = new Map<string, number>();
  const holds = new Map<string, number>();
  const waitsDone = new Map<string, number>();
  /** Nodes whose condition passed according to the journal. */
  const durablyPassed = new Set<number>();
  let stopAs: "cancelled" | "failed" | undefined;
  let now = 0;
  let life = newLife();
  begin();
  for (let steps = 0; steps < MOST_STEPS; steps++) {
    if (life.ended !== undefined && life.unsent.length === 0) {
      assertEquals([...advance(plan, life.state, { type: "paused" })], [], "something happened after the end");
      return { as: life.ended, states: new Map([...journal].map(([id, { state }]) => [id, state])), steps };
    }
    const choices = [...work(), ...disturb()];
    assert(choices.length > 0, "the run is stuck: nothing runs, waits or is to be written, and it has not ended");
    random.pick(choices)();
  }
  throw new Error(`the run has not ended after ${MOST_STEPS} steps`);

  function newLife(): Life {
    const known = [...journal.values()];
    return {
      state: newRunState(plan, { newUnit: (node, item) => new Unit(plan, node, item) }, known),
      model: newModel(graph, known),
      unsent: [],
      unreported: [],
      bodies: new Set(),
      waits: new Map(),
      passed: new Set(durablyPassed),
      parkedUntil: "not parked",
      isStopping: false,
      isReleased: false,
      ended: undefined,
    };
  }

  function begin(): void {
    tell({ type: "started" });
    if (stopAs !== undefined && life.ended === undefined) tell({ type: "stopRequested", as: stopAs });
  }

  /** Another process resumes the run. */
  function born(): void {
    life = newLife();
    begin();
  }

  /** What happens by itself. */
  function work(): (() => void)[] {
    const { unsent, unreported, bodies, waits, isReleased, isStopping, ended } = life;
    if (unsent.length > 0) return [...rest(), flush, flush];
    if (isReleased) return [born];
    if (isStopping && bodies.size === 0 && ended === undefined) return [born];
    return rest();

    function rest(): (() => void)[] {
      if (isReleased || ended !== undefined) return [];
      return [
        ...(unreported.length > 0 ? [report] : []),
        ...[...bodies].map((unit) => () => goOn(unit)),
        ...[...waits].map(([unit, { wake, until }]) => () => wakeUp(unit, wake, until)),
      ];
    }
  }

  function report(): void {
    const { unit, isExpansion } = life.unreported.shift()!;
    // A node whose items start at once may have ended before its expansion is known to be durable.
    if (!isExpansion || unit.state === "expanded") tell({ type: "durable", unit });
  }

  function wakeUp(unit: Unit, wake: Wake, until: number | undefined): void {
    const ways: WokenBy[] = [];
    if (until !== undefined) ways.push("time");
    if (wake.message === true) ways.push("message");
    if (wake.child === true) ways.push("child");
    if (wake.permit === true) ways.push("permit");
    const by = random.pick(ways);
    if (by === "time") now = Math.max(now, until!);
    life.waits.delete(unit);
    const mayEnd = by === "child" && unit.item !== NO_ITEM && isChildWait(unit) && life.state.phase === "active";
    if (mayEnd && random.chance(0.5)) return tell({ type: "childEnded", unit, as: endOf(behaviourOf(unit)) });
    tell({ type: "woken", unit, by });
  }

  function disturb(): (() => void)[] {
    const choices: (() => void)[] = [];
    const { state, bodies, isReleased, isStopping, ended } = life;
    if (disturbances.crashes === true && random.chance(0.1)) choices.push(born);
    if (isReleased || ended !== undefined) return choices;
    if (state.phase === "paused") choices.push(() => tell({ type: "resumed" }));
    if (isStopping) return choices;
    if (disturbances.pauses === true && random.chance(0.2)) choices.push(() => tell({ type: "paused" }));
    if (disturbances.stops === true && random.chance(0.1)) choices.push(() => void (life.isStopping = true));
    // A body that takes long is marked in the journal, but not while its condition is evaluated, nor after a wait.
    const long = [...bodies].filter(({ node, conditionPassed, isSuspended }) =>
      (graph.tasks[node]!.when === undefined || conditionPassed) && !isSuspended
    );
    if (long.length > 0 && random.chance(0.2)) choices.push(() => write(random.pick(long)));
    if (disturbances.cancels === true && random.chance(0.05)) {
      choices.push(() => {
        stopAs ??= random.chance(0.5) ? "cancelled" : "failed";
        tell({ type: "stopRequested", as: stopAs });
      });
    }
    if (stopAs !== undefined && random.chance(0.3)) choices.push(() => tell({ type: "graceElapsed" }));
    return choices;
  }

  /** Continues a body: its condition is evaluated, or it waits, expands or ends. */
  function goOn(unit: Unit): void {
    const task = graph.tasks[unit.node]!;
    const { attempts, waits } = behaviourOf(unit);
    const id = textOf(idOf(unit));
    if (life.isStopping && random.chance(0.5)) return end({ type: "abandoned", unit });
    // A continuation has its place, and so has an attempt that has begun.
    const held = holds.get(id) ?? 0;
    const hasBegun = unit.isSuspended || (task.when !== undefined && unit.conditionPassed);
    if (held < behaviourOf(unit).holds && !hasBegun && stopAs === undefined) {
      holds.set(id, held + 1);
      return end({ type: "held", unit });
    }
    if (task.when !== undefined && unit.item === NO_ITEM) {
      assertEquals(unit.conditionPassed, life.passed.has(unit.node), `whether the condition of task ${id} has passed`);
      if (!unit.conditionPassed && unit.attempts <= task.whenThrows) return fail();
      if (!unit.conditionPassed && !task.when) return end({ type: "conditionFailed", unit });
      if (!unit.conditionPassed) {
        life.passed.add(unit.node);
        return tell({ type: "conditionPassed", unit });
      }
    }
    if ((deferrals.get(id) ?? 0) < behaviourOf(unit).deferrals && stopAs === undefined) {
      deferrals.set(id, (deferrals.get(id) ?? 0) + 1);
      return end({ type: "deferred", unit, wake: random.chance(0.5) ? { at: later() } : { permit: true } });
    }
    const done = waitsDone.get(id) ?? 0;
    if (done < waits.length && stopAs === undefined) {
      waitsDone.set(id, done + 1);
      const { at, ...rest } = waits[done]!;
      const wake = at === undefined ? rest : { ...rest, at: now + at };
      return end({ type: "suspended", unit, wake, reason: "for a test" });
    }
    if (task.items !== undefined && unit.item === NO_ITEM) {
      const omitted = task.items.omitted.map((item) => ({ first: item, last: item }));
      return end({ type: "expanded", unit, items: task.items.each.length, omitted });
    }
    if (attempts[unit.attempts - 1] === "completes") return end({ type: "completed", unit });
    fail();

    function fail(): void {
      const isLast = unit.attempts >= attempts.length || stopAs !== undefined;
      end({ type: "failed", unit, retryAt: isLast ? undefined : later() });
    }

    function end(event: MachineEvent): void {
      life.bodies.delete(unit);
      tell(event);
    }
  }

  function later(): number {
    return now + 1 + random.below(50);
  }

  function behaviourOf({ node, item }: Unit): Behaviour {
    const task = graph.tasks[node]!;
    return item === NO_ITEM ? task : task.items!.each[item]!;
  }

  /** A commit: everything that was to be written so far. */
  function flush(): void {
    for (const { row, unit } of life.unsent.splice(0)) {
      const id = textOf(idOf(unit));
      const before = journal.get(id);
      assert(before === undefined || !hasEnded(before), `unit ${id} ended twice`);
      journal.set(id, row);
      const isExpansion = row.state === "expanded";
      if (hasEnded(row) || isExpansion) life.unreported.push({ unit, isExpansion });
      if (unit.item === NO_ITEM && life.passed.has(row.node)) durablyPassed.add(row.node);
    }
  }

  function write(unit: Unit): void {
    const { node, item, state, attempts, reason } = unit;
    life.unsent.push({
      unit,
      row: {
        node,
        item,
        state,
        attempts: state === "running" ? attempts - 1 : attempts,
        wake: state === "waiting" ? unit.wake : undefined,
        reason,
        items: state === "expanded" ? graph.tasks[node]!.items!.each.length : undefined,
        completed: state === "expanded"
          ? graph.tasks[node]!.items!.omitted.map((item) => ({ first: item, last: item }))
          : [],
      },
    });
  }

  /** Applies an event to both, compares the commands and carries them out. */
  function tell(event: MachineEvent): void {
    const commands = [...advance(plan, life.state, event)];
    const expected = life.model.tell(modelEvent(event));
    assertEquals(answerOf(commands), expected, `after ${JSON.stringify(modelEvent(event))}`);
    for (const command of commands) perform(command);
    compareUnits();
    comparePark(event, commands.some((command) => command.do === "park"));
  }

  function perform(command: Command): void {
    switch (command.do) {
      case "start":
        assertDurableBefore(command.unit);
        assertEquals(stopAs === undefined || life.state.phase === "active", true, "something started while stopping");
        return begun(command.unit);
      case "continue":
        return begun(command.unit);
      case "record":
        return write(command.unit);
      case "wait":
        return void life.waits.set(command.unit, { wake: command.wake, until: command.wake.at });
      case "park":
        life.parkedUntil = command.at ?? "never";
        return;
      case "release":
        life.isReleased = true;
        return;
      case "abort":
      case "cancelChildren":
        return;
      case "end":
        assertEquals(life.ended, undefined, "the run ended twice");
        life.ended = command.as;
        return;
    }
  }

  function begun(unit: Unit): void {
    assertEquals(life.bodies.has(unit), false, `unit ${textOf(idOf(unit))} started twice`);
    life.bodies.add(unit);
    life.parkedUntil = "not parked";
  }

  function assertDurableBefore({ node, item }: Unit): void {
    const isDurable = (id: string): boolean => journal.has(id) && hasEnded(journal.get(id)!);
    const isFree = item === NO_ITEM
      ? graph.tasks[node]!.after.every((before) => isDurable(`${before}`))
      : graph.tasks[node]!.items!.startsAtOnce || journal.get(`${node}`)?.state === "expanded";
    assert(isFree, `unit ${node}/${item} started before what it depends on was durable`);
  }

  function compareUnits(): void {
    if (life.state.phase === "ended") return;
    const actual = [
      ...life.state.units,
      ...[...life.state.items?.values() ?? []].flatMap(({ open }) => [...open.values()]),
    ]
      .map((unit) => ({ id: textOf(idOf(unit)), state: unit.state, attempts: unit.attempts }));
    const expected = life.model.units().map(({ id, end, body, items, attempts }) => ({
      id: textOf(id),
      state: end ?? (items !== undefined ? "expanded" : body === "none" ? "pending" : body),
      attempts,
    }));
    assertEquals(actual.toSorted(byId), expected.toSorted(byId));
    assertEquals(life.state.running, actual.filter(({ state }) => state === "running").length, "how many units run");
    assertEquals(life.state.phase, life.model.phase);
  }

  /** A run is parked exactly if there is nothing to do but to wait. */
  function comparePark(event: MachineEvent, isParked: boolean): void {
    const units = life.model.units();
    if (
      life.state.phase !== "active" || event.type === "abandoned" ||
      units.some(({ isHeld, isQuiet, isWoken, body }) => isHeld || isQuiet || (isWoken && body === "waiting"))
    ) return;
    const waiting = units.filter(({ body }) => body === "waiting");
    const isBusy = units.some(({ body }) => body === "running") || life.model.nodes.some(isAboutToStart);
    if (waiting.length === 0 || isBusy) return assertEquals(isParked, false, "it was parked with something to do");
    const times = waiting.flatMap(({ wake }) => wake?.at === undefined ? [] : [wake.at]);
    assertEquals(life.parkedUntil, times.length === 0 ? "never" : Math.min(...times), "until when the run is parked");
  }

  /** Whether a node only waits for a commit to start, or its items do. */
  function isAboutToStart({ id: [node], end, body, items, isExpansionDurable }: Model["nodes"][number]): boolean {
    if (end !== undefined || body !== "none") return false;
    if (items !== undefined) return !isExpansionDurable || items.some((item) => canStart(node, item));
    return graph.tasks[node]!.after.every((before) => life.model.nodes[before]!.end !== undefined);
  }

  function canStart(node: number, { end, body }: ModelUnit): boolean {
    const { concurrency, onFailure } = graph.tasks[node]!.items!;
    const items = life.model.nodes[node]!.items!;
    // A node that is stopped waits for the child runs of its items.
    if (onFailure === "stop" && items.some(({ end }) => end === "failed")) return false;
    return end === undefined && body === "none" && items.filter(isBusy).length < concurrency;
  }
}

function idOf({ node, item }: Unit): Id {
  return item === NO_ITEM ? [node] : [node, item];
}

function modelEvent(event: MachineEvent): Event {
  if (!("unit" in event)) return event;
  const { unit, ...rest } = event;
  // The same event with the unit's id in its place.
  return { ...rest, id: idOf(unit) } as Event;
}

/** The commands in the words of the model: as sets, with the end in its place. */
function answerOf(commands: readonly Command[]): Answer {
  const of = (what: "start" | "continue" | "record" | "wait"): string[] =>
    commands.flatMap((command) => command.do === what ? [textOf(idOf(command.unit))] : []).toSorted();
  const ends = commands.flatMap((command) => command.do === "end" ? [command.as] : []);
  const aborts = commands.flatMap((command) => command.do === "abort" ? [command.unit] : []);
  const cancels = commands.flatMap((command) => command.do === "cancelChildren" ? [textOf(idOf(command.unit))] : []);
  assert(ends.length <= 1, "two ends in one answer");
  if (ends.length === 1) assertEquals(commands.at(-1)?.do, "end", "something comes after the end");
  return {
    starts: of("start"),
    continues: of("continue"),
    records: of("record"),
    waits: of("wait"),
    abortedItems: aborts.flatMap((unit) => unit === undefined ? [] : [textOf(idOf(unit))]).toSorted(),
    childrenCancelled: cancels.toSorted(),
    end: ends[0],
    release: commands.some((command) => command.do === "release"),
    abort: aborts.includes(undefined),
  };
}

function byId(a: { readonly id: string }, b: { readonly id: string }): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}
