import type { StoredDefinition } from "../engine/catalog.ts";
import type { Served } from "../store/port/batch.ts";
import type { Reading } from "./reading.ts";

/** Larger definitions, with more than about 15,000 tasks, are not read: parsing one would block the event loop. */
const MOST_BYTES = 2 * 1024 * 1024;

/** Returns the definition of a version; `undefined` if it is not stored or too large. */
export async function definitionOf({ context }: Reading, of: Served): Promise<StoredDefinition | undefined> {
  const bytes = await context.store.inspection.definitionBytes(of);
  return bytes !== undefined && bytes > MOST_BYTES ? undefined : await context.reader.definition(of);
}
