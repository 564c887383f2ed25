/** Processes that debounce the same key concurrently: one run for each quiet period, with the last committed input. */
import { assertEquals } from "@std/assert";
import { createRunner } from "../../mod.ts";
import { ended, spawn } from "../child.ts";
import { randomTest } from "../harness.ts";
import { until } from "../within.ts";
import { DATABASES } from "./database.ts";
import { type DebouncerConfig, seen, type Started } from "./debouncer.ts";

const PROCESSES = 4;
const STARTS = 25;

for (const kind of ["sqlite", "postgres"] as const) {
  randomTest(
    `${kind}: processes that debounce a key concurrently start one run per quiet period, with its last input`,
    async () => {
      await using database = await DATABASES[kind]();
      await using runner = await createRunner(await database.open(), { workflows: [seen()] });
      const processes = Array.from({ length: PROCESSES }, (_, process) => {
        const numbers = Array.from({ length: STARTS }, (_, at) => process * 1_000 + at);
        const config: DebouncerConfig = { place: database.place, numbers };
        return spawn("transactions/debouncer.ts", [JSON.stringify(config)]);
      });
      const exits = await Promise.all(processes.map(ended));
      assertEquals(exits.map(({ code, stderr }) => [code, stderr]), exits.map(() => [0, ""]));
      const lines = exits.flatMap(({ stdout }) => stdout.trim().split("\n"));
      const [within, alone] = [await database.payers(), lines].map((texts) =>
        texts.map((text): Started => JSON.parse(text))
      );
      assertEquals([within!.length, alone!.length], [PROCESSES * STARTS, PROCESSES * STARTS]);
      await until(async () => (await runner.list({ state: ["pending", "running", "waiting"] })).runs.length === 0);

      // In the order of the commits, the starts of a run follow one another.
      const periods: Started[][] = [];
      for (const start of within!) {
        if (periods.at(-1)?.[0]?.id === start.id) periods.at(-1)!.push(start);
        else periods.push([start]);
      }
      for (const period of periods) {
        const { result, replaced } = await endOf(period[0]!.id);
        assertEquals(period.map(({ isNew }) => isNew), period.map((_, at) => at === 0));
        assertEquals([result, replaced], [period.at(-1)!.n, period.length - 1]);
      }
      const ids = new Set(alone!.map(({ id }) => id));
      for (const id of ids) {
        const starts = alone!.filter((start) => start.id === id);
        const { result, replaced } = await endOf(id);
        assertEquals([starts.filter(({ isNew }) => isNew).length, replaced], [1, starts.length - 1]);
        assertEquals(starts.some(({ n }) => n === result), true);
      }
      assertEquals(await database.count("runs"), periods.length + ids.size);

      async function endOf(id: string): Promise<{ readonly result: unknown; readonly replaced: number | undefined }> {
        const run = runner.get(id);
        return { result: await run.result(), replaced: (await run.status()).debounce?.replaced };
      }
    },
  );
}
