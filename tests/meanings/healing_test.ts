/** A store that refuses everything for a while, for a reason that is no row's own: no run fails, and none is left behind. */
import { assertEquals } from "@std/assert";
import { createRunner, unchecked, workflow } from "../../mod.ts";
import { emptyStore } from "../empty_store.ts";
import { test } from "../harness.ts";

for (const table of ["tasks", "runs"]) {
  test(`a table "${table}" that is away for a while fails no run, and costs no attempt`, async () => {
    await using on = emptyStore();
    const isAway = Promise.withResolvers<void>();
    const isNoticed = Promise.withResolvers<void>();
    const attempts: number[] = [];
    const flow = workflow("flow", { input: unchecked<number>() })
      .task("first", {
        async run({ input, ctx }) {
          attempts.push(ctx.attempt);
          if (input === 0) await isAway.promise;
          return input;
        },
      })
      .task("second", { after: ["first"], run: ({ first }) => first + 1 })
      .returns("second");
    const ignore = (): void => {};
    const notice = (message: string): void => void (message.startsWith("Cannot") && isNoticed.resolve());
    await using runner = await createRunner(on.url, {
      ...on.options,
      workflows: [flow],
      logger: { debug: ignore, info: ignore, warn: notice, error: notice },
    });
    const begun = await runner.start(flow, 0);
    await on.query(`alter table ${table} rename to ${table}_away`);
    isAway.resolve();
    const started = runner.execute(flow, 1);
    await isNoticed.promise;
    await on.query(`alter table ${table}_away rename to ${table}`);
    const [first, second] = [await begun.outcome(), await started];
    assertEquals([first.status, second.status], ["completed", "completed"]);
    assertEquals(attempts, [1, 1]);
  });
}
