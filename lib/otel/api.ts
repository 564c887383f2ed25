import { installHint } from "../optional_package.ts";

type Api = typeof import("@opentelemetry/api");

/** The package `@opentelemetry/api`. Importing this module throws an error that names the remedy if it is not installed. */
export const api: Api = await load();

async function load(): Promise<Api> {
  try {
    return await import("@opentelemetry/api");
  } catch (error) {
    const hint = installHint("@opentelemetry/api", error);
    throw hint === undefined ? error : new Error(`Cannot load OpenTelemetry tracing: ${hint}`, { cause: error });
  }
}
