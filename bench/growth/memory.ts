/**
 * What runs cost in memory: those that wait in the store (nothing, as they are not loaded) and those in flight.
 *
 * `deno run -A bench/growth/memory.ts` or `bun bench/growth/memory.ts`; `--pending=100000 --flight=10000`.
 *
 * @module
 */
import { spawn } from "../../tests/child.ts";
import { flag, report, scratch } from "../measure.ts";

const PENDING = flag("pending", 100_000);
const FLIGHT = flag("flight", 10_000);

{
  using file = scratch();
  await child("fill", file.path, PENDING);
  for (const what of ["not served", "served"]) {
    report({ bench: "memory, pending in the store", what, runs: PENDING, ...await child(what, file.path, PENDING) });
  }
}
using file = scratch();
report({ bench: "memory, in flight", runs: FLIGHT, ...await child("in flight", file.path, FLIGHT) });

async function child(what: string, path: string, runs: number): Promise<Record<string, unknown>> {
  await using process = spawn("../bench/children/memory.ts", [what, path, `--runs=${runs}`]);
  const { code, stdout, stderr } = await process.exited;
  if (code !== 0) throw new Error(`"${what}" failed: ${stderr}`);
  return stdout === "" ? {} : JSON.parse(stdout);
}
