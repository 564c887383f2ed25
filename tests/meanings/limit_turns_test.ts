/** Who holds the slots of a limit while a runner is busy, and after it has died. */
import { assertEquals } from "@std/assert";
import { unchecked, workflow } from "../../mod.ts";
import { test } from "../harness.ts";
import { open } from "./open.ts";
import { openFleet } from "./open_fleet.ts";

/** Workflows whose bodies last until they are let go, and the order in which those with the limit began. */
function gated() {
  const begun: string[] = [];
  const gates = new Map<string, PromiseWithResolvers<void>>();
  const gate = (name: string): PromiseWithResolvers<void> => {
    if (!gates.has(name)) gates.set(name, Promise.withResolvers());
    return gates.get(name)!;
  };
  const input = unchecked<string>();
  return {
    begun,
    /** Lets the body with this input end. */
    end: (name: string): void => gate(name).resolve(),
    busy: workflow("busy", { input }).task("work", { run: ({ input }) => gate(input).promise }),
    limited: workflow("limited", { input }).task("call", {
      limits: [{ name: "api", max: 1 }],
      run: async ({ input }) => {
        begun.push(input);
        await gate(input).promise;
      },
    }),
    mapped: workflow("mapped", { input: unchecked<readonly string[]>() }).map("calls", {
      over: ({ input }) => input,
      limits: [{ name: "api", max: 1 }],
      run: async ({ item }) => {
        begun.push(item);
        await gate(item).promise;
      },
    }),
  };
}

/** A run that waits for the only slot of a limit, which a run of another runner holds. Its own runner has one slot. */
async function patientRun() {
  const gates = gated();
  const opened = await open([gates.busy, gates.mapped], { shared: true, concurrency: 1 });
  const other = await opened.another([gates.limited]);
  await other.start(gates.limited, "held");
  await opened.clock.advance("1s");
  const waiting = await opened.runner.start(gates.mapped, ["patient"]);
  return { ...gates, opened, other, waiting };
}

test("a task that queues for a slot of its busy runner holds no slot of a limit meanwhile", async () => {
  const { begun, end, busy, limited } = gated();
  await using opened = await open([busy, limited], { shared: true, concurrency: 1 });
  const { runner, clock } = opened;
  await runner.start(busy, "busy");
  await clock.advance("1s");
  const first = await runner.start(limited, "first");
  await clock.advance("1s");
  const other = await opened.another([limited]);
  const second = await other.start(limited, "second");
  await clock.advance("10s");
  assertEquals(begun, ["second"]);
  end("second");
  await clock.until(second.outcome(), "10s");
  end("busy");
  end("first");
  assertEquals((await clock.until(first.outcome(), "1m")).status, "completed");
  assertEquals(begun, ["second", "first"]);
});

test("an item that is granted a slot while its runner is busy makes way for others, and is first when it is not", async () => {
  const { begun, end, busy, limited, other, waiting, ...rest } = await patientRun();
  await using opened = rest.opened;
  const { runner, clock } = opened;
  await clock.advance("1s");
  await runner.start(busy, "busy");
  for (const name of ["younger 1", "younger 2"]) {
    await clock.advance("1s");
    await other.start(limited, name);
  }
  assertEquals(begun, ["held"]);
  end("held");
  await clock.advance("1s");
  assertEquals(begun, ["held", "younger 1"]);
  end("busy");
  await clock.advance("1s");
  end("younger 1");
  await clock.advance("1s");
  assertEquals(begun, ["held", "younger 1", "patient"]);
  for (const name of ["patient", "younger 2"]) end(name);
  await clock.until(waiting.outcome(), "1m");
  await clock.advance("10s");
  assertEquals([begun.length, await runner.limits()], [4, []]);
});

test("a slot that a run without an owner is granted goes to others if no runner has room for the run", async () => {
  const { begun, end, busy, limited, other, waiting, ...rest } = await patientRun();
  await using opened = rest.opened;
  const { runner, clock } = opened;
  await clock.advance("1m");
  await runner.start(busy, "busy");
  await clock.advance("1s");
  for (const name of ["younger 1", "younger 2"]) await other.start(limited, name);
  await clock.advance("1s");
  end("held");
  await clock.advance("30s");
  assertEquals(begun, ["held", "younger 1"]);
  end("busy");
  await clock.advance("10s");
  end("younger 1");
  await clock.advance("10s");
  assertEquals(begun, ["held", "younger 1", "patient"]);
  for (const name of ["patient", "younger 2"]) end(name);
  await clock.until(waiting.outcome(), "1m");
});

test("a subworkflow whose child run has ended holds no slot of a limit while it queues for its busy runner", async () => {
  const { begun, end, busy, limited } = gated();
  const child = workflow("child", { input: unchecked<string>() })
    .event("go", { schema: unchecked<string>() })
    .task("note", { after: ["go"], run: ({ input }) => void begun.push(input) });
  const parent = workflow("parent", { input: unchecked<string>() }).subworkflow("run", {
    workflow: child,
    input: ({ input }) => input,
    limits: [{ name: "api", max: 1 }],
  });
  await using opened = await open([busy, parent], { shared: true, concurrency: 1 });
  const { runner, clock } = opened;
  const other = await opened.another([child, limited]);
  const first = await runner.start(parent, "child");
  await clock.advance("1s");
  await runner.start(busy, "busy");
  const second = await other.start(limited, "second");
  await clock.advance("1s");
  assertEquals(begun, []);
  const [run] = await first.children();
  await other.get(run!.id).send("go", "now");
  await clock.advance("2s");
  assertEquals(begun, ["child", "second"]);
  for (const name of ["second", "busy"]) end(name);
  await clock.until(Promise.all([first.outcome(), second.outcome()]), "1m");
});

test("a task whose runner has died is granted a slot before all that requested one after it", async () => {
  const { begun, end, limited, mapped } = gated();
  await using fleet = openFleet();
  const { clock } = fleet;
  const mortal = await fleet.runner([limited]);
  const { id } = await mortal.runner.start(limited, "first");
  await clock.advance("1s");
  // This one has the workflow of the second and third runs only, and frees the slot.
  const survivor = await fleet.runner([mapped]);
  for (const name of ["second", "third"]) {
    await survivor.runner.start(mapped, [name]);
    await clock.advance("1s");
  }
  assertEquals(begun, ["first"]);
  mortal.kill();
  await clock.advance("2m");
  assertEquals(begun, ["first", "second"]);
  const heir = await fleet.runner([limited]);
  await clock.advance("10s");
  end("second");
  await clock.advance("10s");
  assertEquals(begun, ["first", "second", "first"]);
  for (const name of ["first", "third"]) end(name);
  assertEquals((await clock.until(heir.runner.get(id).outcome(), "1m")).status, "completed");
  await clock.advance("10s");
  assertEquals([begun.length, await heir.runner.limits()], [4, []]);
});
