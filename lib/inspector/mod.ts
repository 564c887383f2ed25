/**
 * A read-only view of what runs, why it waits and what failed: pages for people, JSON for programs, metrics for
 * Prometheus. It needs the package `hono`.
 *
 * @module
 */
export type { Authorize } from "./access.ts";
export type { ActionLink, Actions, ActionSubject } from "./actions.ts";
export { createInspector, type Inspectable, type Inspector, type InspectorOptions } from "./inspector.ts";

if (import.meta.main) {
  const [{ main }, { default: process }] = await Promise.all([import("./command.ts"), import("node:process")]);
  await main(process.argv.slice(2));
}
