/** That a limit of rate holds whatever becomes of runners and clocks. */
import { assert, assertEquals } from "@std/assert";
import { unchecked, workflow } from "../../mod.ts";
import { randomTest } from "../harness.ts";
import { type FleetRunner, openFleet } from "./open_fleet.ts";

const MAX = 5;
const PER_MS = 20_000;
const RUNNERS = 3;
/** How often something happens to a runner or the clock. */
const EVENTS = 8;

randomTest(
  "a rate limit holds over any window of its length, across a fleet, after crashes, and while the clock is set ahead and back",
  async (random) => {
    await using fleet = openFleet();
    const { clock } = fleet;
    /** When bodies began, in time that is never set, by key. */
    const begun: Record<string, number[]> = { x: [], y: [] };
    const of = { limits: [{ name: "rate", max: MAX, per: PER_MS, key: ({ input }: { input: string }) => input }] };
    const body = async ({ input }: { input: string }): Promise<void> => {
      begun[input]!.push(clock.now());
      await new Promise<void>((resolve) => clock.after(500, resolve));
    };
    const single = workflow("single", { input: unchecked<string>() }).task("call", { ...of, run: body });
    const many = workflow("many", { input: unchecked<string>() })
      .map("calls", { ...of, over: () => [1, 2, 3], run: body });
    const workflows = [single, many];
    const start = () => fleet.runner(workflows);
    const fleetOf: FleetRunner<typeof workflows[number]>[] = [];
    while (fleetOf.length < RUNNERS) fleetOf.push(await start());
    const keepFull = async (): Promise<void> => {
      const { runner } = random.pick(fleetOf);
      for (const key of ["x", "y"]) {
        await clock.until(runner.startMany(single, Array.from({ length: 5 }, () => key)), "1m");
        await clock.until(runner.start(many, key), "1m");
      }
    };
    for (let event = 0; event < EVENTS; event++) {
      await keepFull();
      const at = random.below(RUNNERS);
      const kind = random.pick(["kill", "kill", "stop", "ahead", "back", "back"]);
      if (kind === "kill") fleetOf[at]!.kill();
      if (kind === "stop") await fleetOf[at]!.stop();
      if (kind === "kill" || kind === "stop") fleetOf[at] = await start();
      else fleet.set((kind === "ahead" ? 1 : -1) * random.pick([3_000, 60_000, 3_600_000]));
      await clock.advance(1_000 + random.below(40_000));
    }
    // Nothing is lost: once the last crash is noticed, the limit is used up again.
    const since = clock.now();
    const later = (times: readonly number[]): number => times.filter((at) => at > since).length;
    const isUsed = (): boolean => Object.values(begun).every((times) => later(times) > MAX);
    for (let minutes = 0; minutes < 10 && !isUsed(); minutes++) await clock.advance("1m");
    assert(isUsed(), JSON.stringify(begun));
    for (const [key, times] of Object.entries(begun)) {
      const wrong = times.filter((from) => times.filter((at) => at >= from && at < from + PER_MS).length > MAX);
      assertEquals(wrong, [], `key ${key}: ${times.join(" ")}`);
    }
  },
);
