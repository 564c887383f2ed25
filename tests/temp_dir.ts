import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** An empty folder that is gone, with what is in it, at the end of the scope: `using dir = tempDir()`. */
export interface TempDir extends Disposable {
  /** Its absolute path. */
  readonly path: string;
}

/** Makes a folder in the system's place for temporary files. */
export function tempDir(): TempDir {
  const path = mkdtempSync(join(tmpdir(), "sluice-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}
