/**
 * What runs cost in memory: those that wait in the store (nothing, as they are not loaded) and those in flight.
 *
 * `deno run -A bench/growth/memory.ts` or `bun bench/growth/memory.ts`; `--pending=100000 --flight=10000 --store=postgres`.
 *
 * @module
 */
import { spawn } from "../../tests/child.ts";
import { choice, flag, report } from "../measure.ts";
import { type EmptyStore, emptyStore, type StoreKind } from "../stores.ts";

const KINDS = choice<StoreKind>("store", ["sqlite-process", "postgres"]);
const PENDING = flag("pending", 100_000);
const FLIGHT = flag("flight", 10_000);

for (const kind of KINDS) {
  {
    await using store = await emptyStore(kind);
    await child("fill", store, PENDING);
    for (const what of ["not served", "served"]) {
      const held = await child(what, store, PENDING);
      if (held["pending"] !== PENDING - Number(held["held"])) {
        throw new Error(`some are missing: ${JSON.stringify(held)}`);
      }
      report({ bench: "memory, pending in the store", store: kind, what, runs: PENDING, ...held });
    }
  }
  await using store = await emptyStore(kind);
  const held = await child("in flight", store, FLIGHT);
  if (held["bodies"] !== FLIGHT) throw new Error(`${held["bodies"]} bodies run, not ${FLIGHT}`);
  report({ bench: "memory, in flight", store: kind, runs: FLIGHT, ...held });
}

async function child(what: string, { url, options }: EmptyStore, runs: number): Promise<Record<string, unknown>> {
  const args = [what, url, JSON.stringify(options), `--runs=${runs}`];
  await using process = spawn("../bench/children/memory.ts", args);
  const { code, stdout, stderr } = await process.exited;
  if (code !== 0) throw new Error(`"${what}" failed: ${stderr}`);
  return stdout === "" ? {} : JSON.parse(stdout);
}
