import { assert, assertEquals, assertRejects } from "@std/assert";
import { test } from "./harness.ts";
import { randomOf, seededEnvironment, withSeed } from "./random.ts";

test("random numbers are determined by their seed, and evenly distributed", () => {
  const draw = (seed: number): number[] => {
    const { below } = randomOf(seed);
    return Array.from({ length: 1_000 }, () => below(10));
  };
  assertEquals(draw(7), draw(7));
  assert(JSON.stringify(draw(7)) !== JSON.stringify(draw(8)));
  const counts = Array.from({ length: 10 }, (_, n) => draw(7).filter((one) => one === n).length);
  assert(counts.every((count) => count > 60 && count < 140), String(counts));
  assertEquals(randomOf(1).shuffled([1, 2, 3, 4]).sort(), [1, 2, 3, 4]);
});

test("the error of a random test contains a seed that repeats its numbers and those of its processes", async () => {
  const drawn: number[] = [];
  const children: string[] = [];
  const failing = withSeed((random) => {
    drawn.push(random.next(), random.next());
    children.push(...[seededEnvironment(), seededEnvironment()].map((env) => env["SLUICE_TEST_SEED"] ?? ""));
    throw new Error("it failed");
  });
  const { message } = await assertRejects(() => failing, Error);
  const [, told, seed] = /^(.*)\nSLUICE_TEST_SEED=(\d+) repeats/.exec(message) ?? [];
  const { next } = randomOf(Number(seed));
  assertEquals([told, next(), next()], ["it failed", ...drawn]);
  assertEquals(children, [String(Number(seed) + 1), String(Number(seed) + 2)]);
  assertEquals(seededEnvironment(), {});
});
