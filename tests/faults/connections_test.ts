/** Connections and servers that go away under load; SLUICE_FAULT_SECONDS says for how long. */
import { assertEquals } from "@std/assert";
import { randomTest } from "../harness.ts";
import { databaseUrl, ownServer } from "../postgres_server.ts";
import { type Proxy, startProxy, type Strike } from "../proxy.ts";
import { passes } from "../passes.ts";
import type { Random } from "../random.ts";
import { FAULTS_MS, faultsGoOn, openSite, type Site } from "./site.ts";

// Before any test, so that none of them is held to have left the server behind.
const url = await databaseUrl();

/** Whose connections: listeners have one of their own. */
const ROLES = ["care", "claim", "flush", "heartbeat", "listener", "read"];

/** Two runners, of which one starts runs, and a client that starts more. */
async function openLoaded(site: Site): Promise<void> {
  await Promise.all(
    [site.worker({ clientOnly: true, load: true }), site.worker({ load: true }), site.worker()].map(site.ready),
  );
}

/** A proxy before the server, and the URL of what is behind it. */
async function proxied(): Promise<{ proxy: Proxy; way: string }> {
  const way = new URL(url);
  const proxy = await startProxy({ host: way.hostname, port: Number(way.port || 5432) });
  way.hostname = "127.0.0.1";
  way.port = String(proxy.port);
  return { proxy, way: way.href };
}

/** Does something again and again for as long as faults are to happen. */
async function again(random: Random, longestPauseMs: number, fault: () => Promise<void> | void): Promise<void> {
  const goesOn = faultsGoOn(2);
  for (let times = 0; goesOn(times); times++) {
    await fault();
    await passes(random.next() * longestPauseMs);
  }
}

randomTest("postgres: every connection is terminated, again and again, and nothing is begun twice", async (random) => {
  await using site = await openSite(url);
  await openLoaded(site);
  const hit = new Set<string>();
  await again(random, 300, async () => {
    const rows = await site.ask(`
      select application_name as name, pg_terminate_backend(pid)
        from pg_stat_activity
       where application_name like 'sluice%${site.schema}'`);
    for (const { name } of rows) hit.add(String(name).split(" ")[1]!);
  });
  assertEquals([...hit].sort(), ROLES);
  assertEquals([await site.finish(), site.repeated()], [[], []]);
});

randomTest(
  "postgres: the server is killed and started again under load, and nothing is begun twice",
  async (random) => {
    await using server = await ownServer();
    await using site = await openSite(server.url);
    await openLoaded(site);
    await again(random, 1_000, () => server.restart());
    assertEquals([await site.finish(), site.repeated()], [[], []]);
  },
);

randomTest("postgres: a proxy cuts all connections at once, and refuses new ones for a while", async (random) => {
  const { proxy, way } = await proxied();
  await using _ = proxy;
  await using site = await openSite(way, url);
  await openLoaded(site);
  await again(random, 200, async () => {
    if (random.chance(0.3)) proxy.refuse();
    proxy.cut();
    await passes(100);
    proxy.accept();
  });
  assertEquals([await site.finish(), site.repeated()], [[], []]);
});

for (const strike of ["unsent", "sent", "answered"] satisfies Strike[]) {
  randomTest(`postgres: a proxy cuts connections of commits whose requests are ${strike}`, async (random) => {
    const { proxy, way } = await proxied();
    await using _ = proxy;
    await using site = await openSite(way, url);
    await openLoaded(site);
    let strikes = 0;
    proxy.strike((hello) => {
      if (!/sluice (flush|care)/.test(hello) || !random.chance(0.05)) return undefined;
      strikes++;
      return strike;
    });
    for (const until = performance.now() + FAULTS_MS / 2; performance.now() < until || strikes < 10;) await passes(50);
    proxy.flow();
    assertEquals([await site.finish(), site.repeated()], [[], []]);
  });
}

randomTest("postgres: a proxy holds all data in flight, and releases it", async (random) => {
  const { proxy, way } = await proxied();
  await using _ = proxy;
  await using site = await openSite(way, url);
  await openLoaded(site);
  await again(random, 300, async () => {
    proxy.hold();
    await passes(random.next() * 1_000);
    // Now and then what was held never arrives.
    if (random.chance(0.3)) proxy.cut();
    proxy.flow();
  });
  assertEquals([await site.finish(), site.repeated()], [[], []]);
});

randomTest(
  "postgres: a runner whose network is silent for longer than its lease writes nothing late",
  async (random) => {
    const { proxy, way } = await proxied();
    await using _ = proxy;
    await using site = await openSite(url);
    const cutOff = site.worker({ url: way, lease: "1s" });
    const starter = site.worker({ clientOnly: true, load: true });
    // From the start: on a slow machine its lease may end before anything is held.
    site.giveUp(cutOff);
    await Promise.all([cutOff, starter, site.worker()].map(site.ready));
    await again(random, 0, async () => {
      proxy.hold();
      await site.settled("the take-over", `select id from @runners where pid = ${cutOff.pid} and not dead`);
      proxy.flow();
      await cutOff.until("re-registered");
      await site.settled("to come back", "select 1 from @runners having count(*) <> 2");
    });
    assertEquals(await site.finish(), []);
  },
);
