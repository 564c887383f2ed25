import type { Command } from "./machine_protocol.ts";
import type { Unit } from "./run_state.ts";

/**
 * The commands that follow from an event, in order; most often one or two. Not an array, because V8 gives an empty
 * array a capacity of 17 elements at the first `push()`: that was 1.1 of the 13.9 KB that a run of three tasks allocated
 * (`HeapProfiler.startSampling` under Deno).
 */
export class Commands<U extends Unit = Unit> implements Iterable<Command<U>> {
  /** How many there are. */
  length: number = 0;
  private first: Command<U> | undefined = undefined;
  private rest: Command<U>[] | undefined = undefined;

  /** Adds a command. */
  push(command: Command<U>): void {
    if (this.length++ === 0) this.first = command;
    else if (this.rest === undefined) this.rest = [command];
    else this.rest.push(command);
  }

  /** Returns a command by its place; `undefined` if there are not so many. */
  at(place: number): Command<U> | undefined {
    return place === 0 ? this.first : this.rest?.[place - 1];
  }

  /** Iterates over the commands. */
  *[Symbol.iterator](): Iterator<Command<U>> {
    for (let place = 0; place < this.length; place++) yield this.at(place)!;
  }
}
