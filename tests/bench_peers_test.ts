/** The parts of the comparison with peers that need none of the peers. */
import { assertEquals, assertRejects } from "@std/assert";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { Workload } from "../bench/peers/adapter.ts";
import { COMPARISONS, type Peer, PEERS } from "../bench/peers/comparisons.ts";
import { ownPlace } from "../bench/peers/places.ts";
import { type Side, startSide } from "../bench/peers/side.ts";
import { test } from "./harness.ts";
import { filesBelow, read } from "./source_tree.ts";

test("every peer has an adapter and a pinned version, and is compared", () => {
  const peers: readonly (readonly [string, Peer])[] = Object.entries(PEERS);
  const adapters = [...filesBelow("bench/peers/adapters/"), ...filesBelow("bench/peers/adapters/", ".py")];
  const { dependencies }: { dependencies: Record<string, string> } = JSON.parse(read("bench/peers/package.json"));
  const compared = new Set<string>(COMPARISONS.flatMap(({ peers }) => peers.map(({ peer }) => peer)));
  const wrong = peers.filter(([name, { adapter, package: id, runtime }]) =>
    !adapters.includes(`bench/peers/adapters/${adapter}.${runtime === "python" ? "py" : "ts"}`) ||
    !(runtime === "python" || id in dependencies) || !compared.has(name)
  );
  assertEquals(wrong, []);
  assertEquals(Object.entries(dependencies).filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version)), []);
});

test("a side completes all its work in each round", async () => {
  await using side = sideOf("sluice");
  const told: readonly (readonly [Workload, number])[] = [
    ["chain of 3", 60],
    ["one-task jobs", 20],
    ["1 + 100 + 1", 2_040],
  ];
  for (const [workload, bodies] of told) {
    await using own = await ownPlace("sqlite");
    await side.ask({ do: "open", workload, place: own.place, flight: 10 });
    const reply = await side.ask({ do: "carry", runs: 20 });
    await side.ask({ do: "close" });
    assertEquals({ ended: reply.ended, bodies: reply.bodies, took: reply.ms! > 0 }, { ended: 20, bodies, took: true });
  }
});

test("a side that cannot do its work reports the reason", async () => {
  await using unopened = sideOf("sluice");
  await assertRejects(() => unopened.ask({ do: "carry", runs: 1 }), Error, "It is not open");
  await using unknown = sideOf("nobody");
  await assertRejects(() => unknown.ask({ do: "close" }), Error, "nobody.ts");
  await using late = sideOf("sluice", 1);
  await assertRejects(() => late.ask({ do: "close" }), Error, "longer than 0.001 s");
});

function sideOf(adapter: string, limitMs?: number): Side {
  const runtime = "Deno" in globalThis ? ["run", "-A", "--no-check", "--quiet"] : [];
  const serve = fileURLToPath(new URL("../bench/peers/serve.ts", import.meta.url));
  return startSide([process.execPath, ...runtime, serve, adapter], {}, limitMs);
}
