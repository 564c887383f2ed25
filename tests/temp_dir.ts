import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** An empty folder that is deleted with its contents at the end of the scope: `using dir = tempDir()`. */
export interface TempDir extends Disposable {
  /** Its absolute path. */
  readonly path: string;
}

/** Creates a folder in the temporary directory of the system. */
export function tempDir(): TempDir {
  const path = mkdtempSync(join(tmpdir(), "sluice-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}
