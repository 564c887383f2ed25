import { type DynamicWorkflow, dynamicWorkflow, type Runner, unchecked } from "../mod.ts";
import { body } from "./ceiling/sqlite.ts";

/** `k` tasks, each after the one before, that hand the payload on. */
export function chain(k: number): DynamicWorkflow<"chain"> {
  return chainOf(k, body);
}

/** The same with a body of the caller's; its version does not tell one from another. */
export function chainOf(k: number, run: (payload: string) => Promise<string>): DynamicWorkflow<"chain"> {
  const source = (at: number): string => at === 0 ? "input" : `t${at - 1}`;
  return dynamicWorkflow({
    name: "chain",
    tasks: Array.from({ length: k }, (_, at) => ({
      id: `t${at}`,
      after: at === 0 ? [] : [source(at)],
      run: (args) => run(String(args[source(at)])),
    })),
  });
}

/** One task, `width` after it, and one after all of them, that hand the payload on. */
export function fan(width: number): DynamicWorkflow<"fan"> {
  const ids = Array.from({ length: width }, (_, at) => `item${at}`);
  return dynamicWorkflow({
    name: "fan",
    tasks: [
      { id: "split", run: ({ input }) => body(String(input)) },
      ...ids.map((id) => ({
        id,
        after: ["split"],
        run: (args: Readonly<Record<string, unknown>>) => body(String(args["split"])),
      })),
      { id: "join", after: ids, run: (args) => body(String(args[ids.at(-1)!])) },
    ],
  });
}

/** Carries one run to its end. */
export async function complete<Name extends string>(
  runner: Runner<DynamicWorkflow<Name>>,
  workflow: DynamicWorkflow<Name>,
  input: string,
): Promise<void> {
  const outcome = await runner.execute(workflow, input);
  if (outcome.status !== "completed") throw new Error(`run "${outcome.runId}" ended as ${outcome.status}`);
}

/** A text of so many letters and digits without a pattern: a server that compresses large values gains nothing. */
export function payloadOf(bytes: number): string {
  const alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
  let state = 1;
  return Array.from({ length: bytes }, () => {
    // The minimal standard generator of Park and Miller; its high bits.
    state = state * 48_271 % 2_147_483_647;
    return alphabet[Math.floor(state / 2_147_483_647 * alphabet.length)];
  }).join("");
}

/** A task that calls `began` after a message. */
export function waiting(began: () => void): DynamicWorkflow<"waiting"> {
  return dynamicWorkflow({
    name: "waiting",
    tasks: [
      { id: "go", kind: "event", schema: unchecked<number>() },
      { id: "next", after: ["go"], version: "1", run: began },
    ],
  });
}
