/** A terminal for the tests of the command line. */
import { execute } from "../../lib/cli/command.ts";
import type { Ground } from "../inspector/ground.ts";

/** What a command printed, and its exit code. */
export interface Printed {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Executes a command on a terminal that keeps what is printed. */
export async function sluice(args: readonly string[], input = ""): Promise<Printed> {
  const out: string[] = [];
  const err: string[] = [];
  const terminal = {
    print: (line: string) => void out.push(line),
    complain: (line: string) => void err.push(line),
    read: () => Promise.resolve(input),
  };
  const code = await execute(args, terminal);
  return { code, out: out.join("\n"), err: err.join("\n") };
}

/** The arguments that name a database. */
export function tenantOf({ schema }: Ground): readonly string[] {
  return schema === undefined ? [] : [`--schema=${schema}`];
}
