/**
 * A read-only view of what runs, why it waits and what failed: pages for people, JSON for programs, numbers for
 * Prometheus. It needs the package `hono`.
 *
 * @module
 */
export type { Authorize } from "./access.ts";
export type { Fetch } from "./app.ts";
export { type Inspectable, type Inspector, inspector, type InspectorOptions } from "./inspector.ts";
export type * from "./item_shape.ts";
export type * from "./map_shape.ts";
export type * from "./run_shape.ts";
export type * from "./sample_shape.ts";
export type * from "./schedule_shape.ts";
export type * from "./shapes.ts";

if (import.meta.main) {
  const [{ main }, { default: process }] = await Promise.all([import("./command.ts"), import("node:process")]);
  await main(process.argv.slice(2));
}
