import { unchecked, workflow } from "../../../mod.ts";

/** The planned outcome of a run. */
export type Fate = "plain" | "retried" | "failing" | "delayed" | "keyed" | "cancelled";

/** A run's input. */
export interface Work {
  /** What becomes of it. */
  readonly fate: Fate;
  /** Which one it is; its result is three more. */
  readonly n: number;
}

const retry = { attempts: 3, delay: "100ms" } as const;

/** Three tasks; the first one determines the outcome. */
// deno-lint-ignore explicit-module-boundary-types -- the type is long and inferred
export function soakWork() {
  return workflow("soak", { version: "1", input: unchecked<Work>() })
    .task("meet", {
      retry,
      async run({ input: { fate, n }, ctx }) {
        if (fate === "failing" || (fate === "retried" && ctx.attempt === 1)) throw new Error(`${fate} ${n}`);
        if (fate === "cancelled") await aborted(ctx.signal);
        return n + 1;
      },
    })
    .task("pass", { after: ["meet"], run: ({ meet }) => meet + 1 })
    .task("end", { after: ["pass"], run: ({ pass }) => pass + 1 })
    .returns("end");
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
}
