/**
 * What DESIGN says of a run, written as plainly as possible: after each event everything is derived again from what is
 * known of the units. It shares no line with the machine, and is far too slow to be one.
 */
import type { RecordedUnit, Wake, WokenBy } from "../../lib/engine/machine/run_state.ts";
import type { Behaviour, Graph } from "./random_graph.ts";

/** How a unit ended. */
export type End = "completed" | "failed" | "skipped";

/** A unit: `[node]`, or `[node, item]`. */
export type Id = readonly [node: number, item?: number];

/** An event of a run, in the machine's words. */
export type Event =
  | { readonly type: "started" | "paused" | "resumed" | "graceElapsed" }
  | {
    readonly type: "conditionPassed" | "conditionFailed" | "completed" | "abandoned" | "durable" | "held";
    readonly id: Id;
  }
  | { readonly type: "failed"; readonly id: Id; readonly retryAt: number | undefined }
  | { readonly type: "deferred"; readonly id: Id; readonly wake: Wake }
  | { readonly type: "suspended"; readonly id: Id; readonly wake: Wake; readonly reason: string }
  | { readonly type: "expanded"; readonly id: Id; readonly items: number; readonly omitted: readonly number[] }
  | { readonly type: "woken"; readonly id: Id; readonly by: WokenBy }
  | { readonly type: "childEnded"; readonly id: Id; readonly as: "completed" | "failed" }
  | { readonly type: "stopRequested"; readonly as: "cancelled" | "failed" };

type UnitEvent = Extract<Event, { readonly id: Id }>;

/** What has to be done after it. Units are given as text, such as `3` or `3/0`. */
export interface Answer {
  readonly starts: readonly string[];
  readonly continues: readonly string[];
  readonly records: readonly string[];
  readonly waits: readonly string[];
  /** Items whose bodies are to be aborted because another one failed. */
  readonly abortedItems: readonly string[];
  /** Nodes whose items' child runs are to be cancelled because an item failed. */
  readonly childrenCancelled: readonly string[];
  readonly end: "completed" | "failed" | "cancelled" | undefined;
  readonly release: boolean;
  readonly abort: boolean;
}

/** A unit as the model knows it. */
export interface ModelUnit {
  readonly id: Id;
  end: End | undefined;
  body: "none" | "running" | "waiting";
  attempts: number;
  wake: Wake | undefined;
  isSuspended: boolean;
  /** Whether it waits for a place of a limit, and keeps its turn among the items. */
  keepsTurn: boolean;
  /** Whether its wait has ended and it has not continued since. */
  isWoken: boolean;
  isDurable: boolean;
  /** Given back without an end: not to be started here again. */
  isHeld: boolean;
  /** Whether no item is to be started, as one was given back. */
  isQuiet: boolean;
  /** For an item: whether it has begun and was not dropped. */
  isOpen: boolean;
  /** For an open item: since when another attempt is due, so that the oldest goes first. */
  readySince: number;
  /** When it first began, or was restored: those that wake at once do so in this order. */
  begunAt: number;
  /** Once expanded. */
  items: ModelUnit[] | undefined;
  /** Whether its items may start. */
  isExpansionDurable: boolean;
}

/** A run as the model knows it. */
export interface Model {
  readonly nodes: readonly ModelUnit[];
  readonly phase: "active" | "paused" | "stopping" | "ended";
  /** Every unit that the machine should know: the nodes, and items that have begun and not ended. */
  units(): readonly ModelUnit[];
  tell(event: Event): Answer;
}

/** The text of an id. */
export function textOf([node, item]: Id): string {
  return item === undefined ? `${node}` : `${node}/${item}`;
}

/** Whether the end of a task counts as a failure for those that depend on it. */
export function countsAsFailed(graph: Graph, ends: readonly (End | undefined)[], task: number): boolean {
  if (ends[task] === "failed") return true;
  const { on, after } = graph.tasks[task]!;
  const needsSuccess = on === "success" || on === "allSucceeded";
  return ends[task] === "skipped" && needsSuccess && after.some((before) => countsAsFailed(graph, ends, before));
}

/** Whether a task whose dependencies have all ended may start. */
export function mayStart(graph: Graph, ends: readonly (End | undefined)[], task: number): boolean {
  const { on, after } = graph.tasks[task]!;
  const isFailed = (before: number): boolean => countsAsFailed(graph, ends, before);
  if (on === "settled") return true;
  if (on === "success") return !after.some(isFailed);
  if (on === "allSucceeded") return after.every((before) => ends[before] === "completed");
  if (on === "anySucceeded") return after.some((before) => ends[before] === "completed");
  if (on === "anyFailed") return after.some(isFailed);
  return after.length > 0 && after.every(isFailed);
}

/** What a run all of whose tasks have ended ends as. */
export function verdictOf(graph: Graph, ends: readonly (End | undefined)[]): "completed" | "failed" {
  if (graph.result !== undefined && countsAsFailed(graph, ends, graph.result)) return "failed";
  const isHandled = (failed: number): boolean =>
    graph.tasks.some((task, number) => {
      if (!task.after.includes(failed)) return false;
      if ((task.on === "anyFailed" || task.on === "allFailed") && ends[number] === "completed") return true;
      return ends[number] === "skipped" && countsAsFailed(graph, ends, number) && isHandled(number);
    });
  return ends.every((end, number) => end !== "failed" || isHandled(number)) ? "completed" : "failed";
}

/** How an item, or a task that does not expand, ends. */
export function endOf({ attempts }: Behaviour): "completed" | "failed" {
  return attempts.includes("completes") ? "completed" : "failed";
}

/** How every task of an undisturbed run ends, whatever the order of events. */
export function endsOf(graph: Graph): End[] {
  const ends: End[] = [];
  graph.tasks.forEach((task, number) => {
    // Attempts that `when` spoils count like any others.
    const attempts = task.attempts.slice(task.whenThrows);
    if (!mayStart(graph, ends, number)) ends.push("skipped");
    else if (task.when === false && attempts.length > 0) ends.push("skipped");
    else if (task.items !== undefined && attempts.length > 0) ends.push(endOfItems(task.items));
    else ends.push(endOf({ ...task, attempts }));
  });
  return ends;
}

/** An item takes a place while it runs, and while it waits for something other than the time of its next attempt. */
export function isBusy({ body, isSuspended, keepsTurn }: ModelUnit): boolean {
  return body === "running" || (body === "waiting" && (isSuspended || keepsTurn));
}

/** Whether an item waits for a place of a limit. */
function waitsForPlace({ body, keepsTurn }: ModelUnit): boolean {
  return body === "waiting" && keepsTurn;
}

/** Whether a child run of an item is active, as far as the item knows. */
function waitsForChild({ body, isSuspended, wake }: ModelUnit): boolean {
  return body === "waiting" && isSuspended && wake?.child === true;
}

function endOfItems({ onFailure, each, omitted }: NonNullable<Graph["tasks"][number]["items"]>): End {
  const begun = each.filter((_, item) => !omitted.includes(item));
  return onFailure === "collect" || begun.every((item) => endOf(item) === "completed") ? "completed" : "failed";
}

/** A run of which only its journal is known. */
export function newModel(graph: Graph, journal: readonly RecordedUnit[] = []): Model {
  let clock = 0;
  const nodes = graph.tasks.map((_, number) => newUnit([number]));
  for (const record of journal) if (record.item < 0) restore(nodes[record.node]!, record);
  for (const record of journal) {
    const item = record.item < 0 ? undefined : nodes[record.node]!.items?.[record.item];
    if (item !== undefined) restore(item, record);
  }
  let phase: Model["phase"] = "active";
  let stoppingAs: "cancelled" | "failed" = "cancelled";
  let isGraceOver = false;
  return {
    nodes,
    get phase() {
      return phase;
    },
    units,
    tell,
  };

  function newUnit(id: Id): ModelUnit {
    return {
      id,
      end: undefined,
      body: "none",
      attempts: 0,
      wake: undefined,
      isSuspended: false,
      keepsTurn: false,
      isWoken: false,
      isDurable: false,
      isHeld: false,
      isQuiet: false,
      isOpen: false,
      readySince: 0,
      begunAt: 0,
      items: undefined,
      isExpansionDurable: false,
    };
  }

  function restore(unit: ModelUnit, record: RecordedUnit): void {
    if (record.state === "pending") return;
    const isOpen = record.state === "running" || record.state === "waiting" || record.state === "expanded";
    if (isOpen) {
      unit.body = record.state === "waiting" ? "waiting" : "none";
      unit.isOpen = true;
      unit.readySince = clock++;
      unit.begunAt = clock++;
    } else unit.end = record.state as End;
    unit.attempts = record.attempts;
    unit.wake = record.wake;
    unit.isSuspended = record.state === "waiting" && !/^(retry|deferred|limit)/.test(record.reason ?? "");
    unit.keepsTurn = record.state === "waiting" && /^limit/.test(record.reason ?? "");
    unit.isDurable = !isOpen;
    if (record.state === "expanded") expandInto(unit, { total: record.items!, isDurable: true });
  }

  function expandInto(
    unit: ModelUnit,
    { total, isDurable }: { readonly total: number; readonly isDurable: boolean },
  ): void {
    unit.body = "none";
    unit.items = Array.from({ length: total }, (_, item) => newUnit([unit.id[0], item]));
    unit.isExpansionDurable = isDurable;
    for (const item of omittedOf(unit)) Object.assign(unit.items[item]!, { end: "completed", isDurable: true });
  }

  /** Items that are left out have nothing to do from the beginning. */
  function omittedOf({ id: [node] }: ModelUnit): readonly number[] {
    return graph.tasks[node]!.items?.omitted ?? [];
  }

  function isOmitted({ id: [node, item] }: ModelUnit): boolean {
    return item !== undefined && omittedOf(nodes[node]!).includes(item);
  }

  function tell(event: Event): Answer {
    const before = new Map(allUnits().map((unit) => [textOf(unit.id), { ...unit }]));
    const was = (unit: ModelUnit): ModelUnit => before.get(textOf(unit.id)) ?? newUnit(unit.id);
    const wasStopping = phase === "stopping";
    const runningBefore = running().length;
    // A node that had been stopped when its runner died is stopped once more.
    const stoppedBefore = event.type === "started" ? [] : nodes.filter(isStopped);
    const extraRecords: string[] = [];
    const continues: string[] = [];
    const begun: string[] = [];
    if ("id" in event) applyTo(find(event.id), event);
    else applyToRun(event);
    if (event.type === "resumed" && phase === "active") {
      const woken = allUnits().filter((unit) => unit.body === "waiting" && unit.isWoken);
      for (const unit of woken.toSorted((a, b) => a.begunAt - b.begunAt)) wake(unit);
    }
    const newlyStopped = nodes.filter((node) => isStopped(node) && !stoppedBefore.includes(node));
    const aborted = newlyStopped.flatMap(({ items }) =>
      items!.filter((item) => isBusy(item) && !waitsForChild(item) && !waitsForPlace(item))
    )
      .map(({ id }) => textOf(id));
    const childrenCancelled = newlyStopped.filter(({ items }) => items!.some(waitsForChild)).map(({ id }) =>
      textOf(id)
    );
    if (event.type !== "graceElapsed") { for (const node of nodes) endItems(node); }
    skipWhatMustBe();
    const starts = [...begun, ...phase === "active" ? startAll() : []];
    const ended = allUnits().filter((unit) => unit.end !== was(unit).end && !isOmitted(unit)).map(({ id }) =>
      textOf(id)
    );
    const end = endOfRun();
    if (end !== undefined) phase = "ended";
    const isNews = event.type === "started" || event.type === "resumed";
    return {
      starts: starts.toSorted(),
      continues: continues.toSorted(),
      records: [...extraRecords, ...ended].toSorted(),
      waits: allUnits()
        .filter((unit) => isLive(unit) && unit.body === "waiting" && (isNews || was(unit).body !== "waiting"))
        // An attempt that is given back was waiting before it was woken: its wait is armed when the run is resumed.
        .filter(() => event.type !== "abandoned")
        .map(({ id }) => textOf(id)).toSorted(),
      abortedItems: aborted.toSorted(),
      childrenCancelled: childrenCancelled.toSorted(),
      end,
      release: phase === "paused" && running().length === 0,
      abort: event.type === "stopRequested" && !wasStopping && runningBefore > 0,
    };

    function applyTo(unit: ModelUnit, event: UnitEvent): void {
      const isOfStopped = unit.id[1] !== undefined && isStopped(nodes[unit.id[0]]!);
      // An item that is given up leaves its place free until something else happens to the items of its node.
      const changesPlaces = event.type !== "durable" &&
        !(event.type === "woken" && (unit.isSuspended || unit.keepsTurn));
      if (changesPlaces || unit.id[1] === undefined) nodes[unit.id[0]]!.isQuiet = event.type === "abandoned";
      switch (event.type) {
        case "conditionPassed":
          extraRecords.push(textOf(unit.id));
          return;
        case "conditionFailed":
          return void Object.assign(unit, { body: "none", end: "skipped" });
        case "completed":
          return void Object.assign(unit, { body: "none", end: "completed" });
        case "failed":
          if (isOfStopped) return void Object.assign(unit, { body: "none", isOpen: false });
          if (phase === "stopping") return void (unit.body = "none");
          if (event.retryAt === undefined) return void Object.assign(unit, { body: "none", end: "failed" });
          return putOff(unit, { at: event.retryAt }, false);
        case "deferred":
          unit.attempts--;
          if (isOfStopped) return void Object.assign(unit, { body: "none", isOpen: false });
          return putOff(unit, event.wake, false);
        case "held":
          unit.attempts--;
          if (isOfStopped) return void Object.assign(unit, { body: "none", isOpen: false });
          putOff(unit, { permit: true }, false);
          return void (unit.keepsTurn = true);
        case "suspended":
          if (isOfStopped) return void Object.assign(unit, { body: "none", isOpen: false });
          return putOff(unit, event.wake, true);
        case "expanded":
          expandInto(unit, { total: event.items, isDurable: graph.tasks[unit.id[0]]!.items!.startsAtOnce });
          if (event.items > 0) extraRecords.push(textOf(unit.id));
          return;
        case "childEnded":
          if (isOfStopped && event.as === "failed") return void Object.assign(unit, { body: "none", isOpen: false });
          return void Object.assign(unit, { body: "none", end: event.as });
        case "abandoned":
          if (isOfStopped) return void Object.assign(unit, { body: "none", isOpen: false });
          if (unit.isSuspended) return void Object.assign(unit, { body: "waiting", isWoken: true });
          return void Object.assign(unit, {
            body: "none",
            isHeld: unit.id[1] === undefined,
            attempts: unit.attempts - 1,
            readySince: clock++,
          });
        case "durable":
          if (unit.end === undefined) unit.isExpansionDurable = true;
          else unit.isDurable = true;
          return;
        case "woken":
          if (unit.body !== "waiting") return;
          if (phase === "active") wake(unit);
          else unit.isWoken = true;
          return;
      }
    }

    function wake(unit: ModelUnit): void {
      unit.isWoken = false;
      if (unit.isSuspended) {
        unit.body = "running";
        return void continues.push(textOf(unit.id));
      }
      if (!unit.keepsTurn || unit.id[1] === undefined) {
        return void Object.assign(unit, { body: "none", readySince: clock++ });
      }
      // It has its turn: it starts, whatever else is ready.
      Object.assign(unit, { body: "running", attempts: unit.attempts + 1 });
      begun.push(textOf(unit.id));
    }

    function putOff(unit: ModelUnit, wake: Wake, isSuspended: boolean): void {
      Object.assign(unit, { body: "waiting", wake, isSuspended, isWoken: false, keepsTurn: false });
      extraRecords.push(textOf(unit.id));
    }
  }

  function applyToRun(event: Event): void {
    if (event.type === "paused" && phase === "active") phase = "paused";
    if (event.type === "resumed" && phase === "paused") {
      phase = "active";
      for (const unit of allUnits()) Object.assign(unit, { isHeld: false, isQuiet: false });
    }
    if (event.type === "stopRequested" && phase !== "stopping") {
      phase = "stopping";
      stoppingAs = event.as;
    }
    if (event.type === "graceElapsed" && phase === "stopping") {
      isGraceOver = true;
      for (const unit of running()) unit.body = "none";
    }
  }

  /** An expanded node ends with its last item, or when a failure stopped it and nothing of it runs. */
  function endItems(node: ModelUnit): void {
    if (node.items === undefined || node.end !== undefined) return;
    if (isStopped(node)) {
      for (const item of node.items) {
        if (item.body === "waiting" && !waitsForChild(item)) Object.assign(item, { body: "none", isOpen: false });
      }
    }
    if (node.items.some((item) => item.body === "running" || (isStopped(node) && waitsForChild(item)))) return;
    if (!isStopped(node) && node.items.some(({ end }) => end === undefined)) return;
    const hasFailed = node.items.some(({ end }) => end === "failed");
    node.end = hasFailed && graph.tasks[node.id[0]]!.items!.onFailure !== "collect" ? "failed" : "completed";
  }

  function isStopped(node: ModelUnit): boolean {
    return graph.tasks[node.id[0]]!.items?.onFailure === "stop" &&
      node.items?.some(({ end }) => end === "failed") === true;
  }

  function skipWhatMustBe(): void {
    for (const node of nodes) {
      const isOpen = node.end === undefined && node.body === "none" && !node.isHeld && node.items === undefined;
      const { after } = graph.tasks[node.id[0]]!;
      const isDecided = after.every((before) => nodes[before]!.end !== undefined);
      if (isOpen && isDecided && !mayStart(graph, ends(), node.id[0])) node.end = "skipped";
    }
  }

  function startAll(): string[] {
    const started = nodes.filter(isStartable);
    for (const node of nodes) {
      if (node.items === undefined || node.end !== undefined || !node.isExpansionDurable || isStopped(node)) continue;
      if (node.isQuiet) continue;
      const idle = node.items.filter(({ end, body }) => end === undefined && body === "none");
      const ready = idle.filter(({ isOpen }) => isOpen).toSorted((a, b) => a.readySince - b.readySince);
      const inOrder = idle.filter(({ isOpen }) => !isOpen);
      const fresh = graph.tasks[node.id[0]]!.items!.isReversed ? inOrder.toReversed() : inOrder;
      const places = graph.tasks[node.id[0]]!.items!.concurrency -
        node.items.filter(isBusy).length;
      started.push(...[...ready, ...fresh].slice(0, Math.max(0, places)));
    }
    for (const unit of started) {
      if (!unit.isOpen) unit.begunAt = clock++;
      Object.assign(unit, { body: "running", attempts: unit.attempts + 1, isOpen: true });
    }
    return started.map(({ id }) => textOf(id));
  }

  function isStartable({ id, end, body, isHeld, items }: ModelUnit): boolean {
    return end === undefined && body === "none" && !isHeld && items === undefined &&
      graph.tasks[id[0]]!.after.every((before) => nodes[before]!.isDurable) && mayStart(graph, ends(), id[0]);
  }

  function endOfRun(): Answer["end"] {
    if (phase === "stopping") {
      const waitsForChild = allUnits().some((unit) =>
        isLive(unit) && unit.body === "waiting" && unit.wake?.child === true && !unit.isWoken
      );
      return running().length === 0 && (isGraceOver || !waitsForChild) ? stoppingAs : undefined;
    }
    return ends().every((end) => end !== undefined) ? verdictOf(graph, ends()) : undefined;
  }

  function ends(): (End | undefined)[] {
    return nodes.map(({ end }) => end);
  }

  function find([node, item]: Id): ModelUnit {
    return item === undefined ? nodes[node]! : nodes[node]!.items![item]!;
  }

  function allUnits(): ModelUnit[] {
    return nodes.flatMap((node) => [node, ...node.items ?? []]);
  }

  /** Items of a node that has ended or stops are over, even if a row of theirs says that they wait; child runs settle. */
  function isLive(unit: ModelUnit): boolean {
    const { id: [node, item] } = unit;
    return item === undefined ||
      (nodes[node]!.end === undefined && (!isStopped(nodes[node]!) || waitsForChild(unit)));
  }

  function units(): ModelUnit[] {
    return nodes.flatMap((node) => [
      node,
      ...(node.items ?? []).filter((item) =>
        (isLive(item) || item.body === "running") && item.end === undefined && item.isOpen
      ),
    ]);
  }

  function running(): ModelUnit[] {
    return allUnits().filter(({ body }) => body === "running");
  }
}
