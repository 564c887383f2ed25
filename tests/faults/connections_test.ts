/** Connections and servers that fail under load; SLUICE_FAULT_SECONDS sets the duration. */
import { assertEquals } from "@std/assert";
import { randomTest } from "../harness.ts";
import { databaseUrl, ownServer } from "../postgres_server.ts";
import { type Proxy, startProxy, type Strike } from "../proxy.ts";
import { passes } from "../passes.ts";
import type { Random } from "../random.ts";
import { FAULTS_MS, faultsGoOn, openSite, type Site } from "./site.ts";

// Started before any test, so that the leak sanitizer does not attribute the server to one.
const url = await databaseUrl();

/** Selects the connections to terminate: listeners have a separate one. */
const ROLES = ["care", "claim", "flush", "heartbeat", "listener", "read"];

/** Starts two runners, of which one starts runs, and a client that starts more. */
async function openLoaded(site: Site): Promise<void> {
  await Promise.all(
    [site.worker({ clientOnly: true, load: true }), site.worker({ load: true }), site.worker()].map(site.ready),
  );
}

/** Starts a proxy in front of the server; returns it with the URL through it. */
async function proxied(): Promise<{ proxy: Proxy; way: string }> {
  const way = new URL(url);
  const proxy = await startProxy({ host: way.hostname, port: Number(way.port || 5432) });
  way.hostname = "127.0.0.1";
  way.port = String(proxy.port);
  return { proxy, way: way.href };
}

/** Calls a function repeatedly for the duration of the faults. */
async function again(random: Random, longestPauseMs: number, fault: () => Promise<void> | void): Promise<void> {
  const goesOn = faultsGoOn(2);
  for (let times = 0; goesOn(times); times++) {
    await fault();
    await passes(random.next() * longestPauseMs);
  }
}

randomTest("postgres: all connections are terminated repeatedly, and no body begins twice", async (random) => {
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
  "postgres: the server is killed and restarted under load, and no body begins twice",
  async (random) => {
    await using server = await ownServer();
    await using site = await openSite(server.url);
    await openLoaded(site);
    await again(random, 1_000, () => server.restart());
    assertEquals([await site.finish(), site.repeated()], [[], []]);
  },
);

randomTest("postgres: runs survive a proxy that cuts all connections and then refuses new ones", async (random) => {
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
  randomTest(
    `postgres: runs survive a proxy that cuts connections of commits whose requests are ${strike}`,
    async (random) => {
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
      for (const until = performance.now() + FAULTS_MS / 2; performance.now() < until || strikes < 10;) {
        await passes(50);
      }
      proxy.flow();
      assertEquals([await site.finish(), site.repeated()], [[], []]);
    },
  );
}

randomTest("postgres: runs survive a proxy that holds all data in flight and releases it later", async (random) => {
  const { proxy, way } = await proxied();
  await using _ = proxy;
  await using site = await openSite(way, url);
  await openLoaded(site);
  await again(random, 300, async () => {
    proxy.hold();
    await passes(random.next() * 1_000);
    // Sometimes the held data never arrives.
    if (random.chance(0.3)) proxy.cut();
    proxy.flow();
  });
  assertEquals([await site.finish(), site.repeated()], [[], []]);
});

randomTest(
  "postgres: a runner whose network is silent for longer than its lease writes nothing afterwards",
  async (random) => {
    const { proxy, way } = await proxied();
    await using _ = proxy;
    await using site = await openSite(url);
    const cutOff = site.worker({ url: way, lease: "1s" });
    const starter = site.worker({ clientOnly: true, load: true });
    // From the beginning: on a slow machine its lease may expire before any data is held.
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
