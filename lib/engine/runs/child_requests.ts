import type { ControlRequest } from "../../store/port/control.ts";

/** A request to child runs that failed is repeated after this time, in milliseconds. */
const RETRY_MS = 1_000;

/** What the requests to the child runs of a run need. */
export interface ChildRequestsOptions {
  /** Applies a request to the child runs. */
  readonly apply: (request: ControlRequest) => Promise<void>;
  /** A request has failed, and will be repeated. */
  readonly failed: (request: ControlRequest, error: unknown) => void;
  /** Whether the run has left memory: its next owner applies the request. */
  readonly isGone: () => boolean;
  /** Calls `fire` once after some milliseconds; the returned function cancels it. */
  readonly after: (ms: number, fire: () => void) => () => void;
}

/** The control requests of a run to its child runs, or to those of one of its tasks. */
export interface ChildRequests {
  /**
   * Applies a request to the child runs, until that is durable or a newer request replaces it; resolves when the last one
   * is durable. A cancel is not replaced.
   */
  send(request: ControlRequest): Promise<void>;
  /** Ends the wait before another try. */
  dispose(): void;
}

/**
 * Sends requests to child runs one after another, so that the store gets them in their order: while one is in flight, or
 * failing, only the newest of the others is kept.
 */
export function createChildRequests({ apply, failed, isGone, after }: ChildRequestsOptions): ChildRequests {
  let newest: ControlRequest | undefined;
  let done: ControlRequest | undefined;
  let sending: Promise<void> | undefined;
  let endWait: (() => void) | undefined;
  return {
    send(request) {
      if (newest?.kind !== "cancel") newest = request;
      if (newest === done || isGone()) return Promise.resolve();
      endWait?.();
      return sending ??= sendAll();
    },
    dispose: () => endWait?.(),
  };

  async function sendAll(): Promise<void> {
    while (newest !== done && !isGone()) {
      const request = newest!;
      try {
        await apply(request);
        done = request;
      } catch (error) {
        if (isGone()) break;
        failed(request, error);
        if (newest === request) await wait();
      }
    }
    sending = undefined;
  }

  async function wait(): Promise<void> {
    await new Promise<void>((resolve) => {
      const stop = after(RETRY_MS, resolve);
      endWait = () => {
        stop();
        resolve();
      };
    });
    endWait = undefined;
  }
}
