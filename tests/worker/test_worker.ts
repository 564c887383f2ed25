/**
 * A worker for tests: functions by their ids, and requests that resolve with their results.
 *
 * @module
 */
import { createLines } from "../../lib/worker/lines.ts";
import type { Transport } from "../../lib/worker/mod.ts";

/** Parameters and results. */
export type Members = Readonly<Record<string, unknown>>;

/** A call of a function of the worker. */
export interface Invocation {
  readonly id: number;
  readonly args: Members;
  readonly context: Members;
  /** Aborts when the engine says so. */
  readonly signal: AbortSignal;
}

/** A function of the worker. */
export type WorkerFunction = (invocation: Invocation) => unknown;

/** An error that the engine has sent. */
export class EngineError extends Error {
  /** The error record. */
  readonly record: Members;
  /** Creates an error of an error record. */
  constructor(record: Members) {
    super(String(record["message"]));
    this.record = record;
  }
}

/** A worker on a connection. */
export interface TestWorker {
  /** Sends a request. */
  call(method: string, params?: Members): Promise<Members>;
  /** Sends a notification. */
  notify(method: string, params: Members): void;
  /** Sends a line as it is. */
  send(text: string): Promise<void>;
  /** Stops to read, until the returned function is called. */
  pause(): () => void;
  /** The notifications that arrived, and each `ping`. */
  readonly notifications: readonly Members[];
  /** Closes the worker's side. */
  close(): void;
  /** Resolves when the engine has closed its side. */
  readonly ended: Promise<void>;
}

/** Connects a worker and greets the engine. */
export async function connectWorker(
  transport: Transport,
  functions: Readonly<Record<string, WorkerFunction>> = {},
  hello: Members = { protocol: 1 },
): Promise<TestWorker> {
  const waiting = new Map<number, PromiseWithResolvers<Members>>();
  const running = new Map<number, AbortController>();
  const notifications: Members[] = [];
  let lastId = 0;
  let paused: PromiseWithResolvers<void> | undefined;
  const ended = read().finally(() => {
    for (const { reject } of waiting.values()) reject(new Error("the engine has gone"));
  });
  const worker: TestWorker = {
    call,
    notify: (method, params) => void send({ method, params }),
    send: write,
    pause() {
      const pausing = paused = Promise.withResolvers();
      return () => pausing.resolve();
    },
    notifications,
    close: () => transport.close(),
    ended,
  };
  await call("hello", hello);
  return worker;

  function call(method: string, params: Members = {}): Promise<Members> {
    const id = ++lastId;
    const response = Promise.withResolvers<Members>();
    waiting.set(id, response);
    send({ id, method, params });
    return response.promise;
  }

  async function read(): Promise<void> {
    const lines = createLines();
    for (;;) {
      const bytes = await transport.read();
      if (bytes === undefined) return;
      for (const line of lines.add(bytes)) receive(JSON.parse(line));
      if (paused !== undefined) await paused.promise;
      paused = undefined;
    }
  }

  function receive({ id, method, params, result, error }: Members): void {
    if (method === "ping") {
      notifications.push({ method });
      return send({ id, result: {} });
    }
    if (method === "invoke") return void invoke(Number(id), params as Members);
    if (method === "abort") {
      notifications.push({ method, params });
      return running.get(Number((params as Members)["of"]))?.abort();
    }
    if (method !== undefined) return void notifications.push({ method, params });
    const response = waiting.get(Number(id))!;
    waiting.delete(Number(id));
    if (error === undefined) response.resolve(result as Members);
    else response.reject(new EngineError(error as Members));
  }

  async function invoke(id: number, { fn, args, context = {} }: Members): Promise<void> {
    const controller = new AbortController();
    running.set(id, controller);
    try {
      const call = { id, args: args as Members, context: context as Members, signal: controller.signal };
      send({ id, result: { output: await functions[String(fn)]!(call) } });
    } catch (thrown) {
      const { name, message } = thrown as Error;
      send({ id, error: { name, message } });
    } finally {
      running.delete(id);
    }
  }

  function send(message: Members): void {
    // Fails if the engine has gone, which `ended` says.
    write(JSON.stringify(message)).catch(() => {});
  }

  async function write(text: string): Promise<void> {
    await transport.write(new TextEncoder().encode(`${text}\n`));
  }
}
