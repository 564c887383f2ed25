import type { Hono as HonoApp } from "hono";
import { installHint } from "../optional_package.ts";

/** The class of the package `hono`. Importing this module throws an error that names the remedy if it is not installed. */
export const Hono: typeof HonoApp = await load();

async function load(): Promise<typeof HonoApp> {
  try {
    return (await import("hono")).Hono;
  } catch (error) {
    const hint = installHint("hono", error);
    throw hint === undefined ? error : new Error(`Cannot load the inspector: ${hint}`, { cause: error });
  }
}
