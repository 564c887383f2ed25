import type { NewId } from "../../ids.ts";
import type { Mailbox } from "../../store/port/messages.ts";
import type { TransactionVerdict } from "../../store/port/transactions.ts";
import type { AttemptEnd } from "../runs/attempt.ts";
import type { ChildOutcome, UndoneChild } from "../runs/child_outcome.ts";
import type { Attempt } from "../runs/live_run.ts";

/** What kinds need of the engine. */
export interface KindPort {
  /** The largest output, in bytes of JSON. */
  readonly maxPayloadBytes: number;
  /** Calls code of the user on behalf of an attempt: inside its trace. */
  readonly call: <Args, T>(attempt: Attempt, code: (args: Args) => T, args: Args) => T;
  /** The store's time. */
  readonly now: () => number;
  /** Refuses further messages to the task of an attempt, unless one was accepted before; returns that message. */
  readonly closeMailbox: (attempt: Attempt) => Promise<Mailbox>;
  /** Makes the id of a run, given the time. */
  readonly newId: NewId;
  /** The trace context of an attempt, as text. */
  readonly traceOf: (attempt: Attempt) => string | undefined;
  /** Reads the child run of the unit of an attempt: how it ended, or `undefined` if it has not. */
  readonly findChild: (attempt: Attempt) => Promise<ChildOutcome | undefined>;
  /** Compensates the child run of the unit of an attempt, unless it does so by itself; returns what it has come to. */
  readonly undoChild: (attempt: Attempt) => Promise<UndoneChild>;
  /** Runs `body` in a transaction that also records the output it returns, as JSON text. */
  readonly transact: (
    attempt: Attempt,
    body: (tx: unknown) => Promise<string | undefined>,
  ) => Promise<TransactionVerdict>;
}

/**
 * What the units of one kind of task do. An attempt has two parts, so that a body that returns at once costs no promise:
 * `call` calls the user's code, and `end` turns its value into the end of the attempt.
 */
export interface Kind<Task, Value = unknown> {
  /**
   * Calls the user's code; returns its value or a promise of it.
   *
   * @throws Whatever that throws: then the attempt has failed.
   */
  call(attempt: Attempt, task: Task, port: KindPort): Value | PromiseLike<Value>;
  /**
   * How the attempt ends, given the value: with an output, as a unit that waits, or as one that expands into items.
   *
   * @throws What makes the attempt fail.
   */
  end(attempt: Attempt, value: Value, port: KindPort, task: Task): AttemptEnd;
}
