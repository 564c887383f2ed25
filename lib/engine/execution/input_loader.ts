import { setImmediate } from "node:timers";
import type { Clock } from "../../clock.ts";
import { isCorruptRow } from "../../store/shared/corrupt_row.ts";
import type { Logger } from "../../logger.ts";
import type { JournalOutput, OutputsRequest } from "../../store/port/outputs.ts";
import type { Store } from "../../store/port/store.ts";
import type { Attempt } from "../runs/live_run.ts";
import { type StoredInput, storedInputsOf } from "../runs/stored_inputs.ts";

/** The number of requests in one read of the store. */
const MOST_REQUESTS = 64;

/** A failed read is repeated after this time, in milliseconds. */
const RETRY_MS = 1_000;

/** Reads what attempts need from the store, for all runs together. */
export interface InputLoader {
  /**
   * Reads what an attempt needs, then calls `ready`: at once if all of it is in memory, and not at all if the attempt is
   * given up or its run is lost meanwhile. An error for an invalid row becomes the attempt's `unreadable`.
   */
  load(attempt: Attempt, ready: (attempt: Attempt) => void): void;
  /** Drops reads that have not begun or are to be repeated. */
  stop(): void;
}

/** Dependencies of an input loader. */
export interface InputLoaderOptions {
  readonly store: Pick<Store, "outputs">;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A request, and all that wait for its result. */
interface Read {
  readonly request: OutputsRequest;
  readonly receivers: StoredInput["receive"][];
  readonly done: PromiseWithResolvers<void>;
}

/** Creates a loader. All requests of one turn of the event loop are read together, each once. */
export function createInputLoader({ store, clock, logger }: InputLoaderOptions): InputLoader {
  let queued = new Map<string, Read>();
  let isScheduled = false;
  let isStopped = false;
  const timers = new Set<() => void>();
  return {
    load(attempt, ready) {
      const inputs = storedInputsOf(attempt);
      if (inputs.length === 0) ready(attempt);
      else read(attempt, inputs, ready);
    },
    stop() {
      isStopped = true;
      for (const cancel of timers) cancel();
      timers.clear();
      queued = new Map();
    },
  };

  // Apart from `load`, which most often reads nothing and then makes no closure.
  function read(attempt: Attempt, inputs: readonly StoredInput[], ready: (attempt: Attempt) => void): void {
    attempt.stage = "loading";
    const loaded = (unreadable?: Error): void => {
      if (attempt.stage !== "loading" || attempt.unit.run.gone) return;
      attempt.unreadable = unreadable;
      ready(attempt);
    };
    Promise.all(inputs.map(enqueue)).then(() => loaded(), loaded);
  }

  function enqueue({ request, receive }: StoredInput): Promise<void> {
    const key = keyOf(request);
    let read = queued.get(key);
    if (read === undefined) queued.set(key, read = { request, receivers: [], done: Promise.withResolvers() });
    read.receivers.push(receive);
    if (!isScheduled) {
      isScheduled = true;
      setImmediate(() => {
        isScheduled = false;
        flush();
      });
    }
    return read.done.promise;
  }

  function flush(): void {
    const reads = [...queued.values()];
    queued = new Map();
    // Rows do not contain which part was requested.
    for (const group of Map.groupBy(reads, ({ request }) => request.of).values()) {
      for (let from = 0; from < group.length; from += MOST_REQUESTS) {
        void perform(group.slice(from, from + MOST_REQUESTS));
      }
    }
  }

  async function perform(reads: readonly Read[]): Promise<void> {
    if (isStopped) return;
    let rows: readonly JournalOutput[];
    try {
      rows = await store.outputs(reads.map(({ request }) => request));
    } catch (error) {
      return failed(reads, error);
    }
    const byTask = groupByTask(rows);
    for (const { request, receivers, done } of reads) {
      const all = byTask.get(keyOfTask(request)) ?? [];
      const own = request.item === undefined ? all : all.filter(({ item }) => item === request.item);
      for (const receive of receivers) receive(own);
      done.resolve();
    }
  }

  function failed(reads: readonly Read[], error: unknown): void {
    if (isStopped) return;
    // One invalid row must not keep others from being read.
    if (reads.length > 1) return reads.forEach((read) => void perform([read]));
    const [read] = reads;
    if (isCorruptRow(error)) return read!.done.reject(error);
    logger.error("Cannot read outputs of a resumed run; retrying", { error: String(error) });
    const cancel = clock.after(RETRY_MS, () => {
      timers.delete(cancel);
      void perform(reads);
    });
    timers.add(cancel);
  }
}

function keyOf({ seq, task, of, item }: OutputsRequest): string {
  return JSON.stringify([seq, task, of, item]);
}

/** Groups rows, those of a task being consecutive: a key for each of a hundred thousand rows would take too long. */
function groupByTask(rows: readonly JournalOutput[]): ReadonlyMap<string, readonly JournalOutput[]> {
  const groups = new Map<string, readonly JournalOutput[]>();
  for (let from = 0; from < rows.length;) {
    const { seq, task } = rows[from]!;
    let to = from + 1;
    while (to < rows.length && rows[to]!.seq === seq && rows[to]!.task === task) to++;
    const key = keyOfTask({ seq, task });
    groups.set(key, [...groups.get(key) ?? [], ...rows.slice(from, to)]);
    from = to;
  }
  return groups;
}

function keyOfTask({ seq, task }: { readonly seq: number; readonly task: string }): string {
  return JSON.stringify([seq, task]);
}
