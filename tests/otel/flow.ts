import { workflow } from "../../mod.ts";

/** What two processes agree upon. */
export const flow = workflow("flow", { version: "1" }).task("work", { run: () => "done" }).returns("work");
