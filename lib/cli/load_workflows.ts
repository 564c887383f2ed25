import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { Workflow } from "../definition/builder.ts";
import type { AnyWorkflow } from "../definition/workflow.ts";
import { UsageError } from "./usage.ts";

/**
 * Imports a module and returns the workflows that it exports, by themselves or in arrays.
 *
 * @throws {UsageError} If the module cannot be imported or exports no workflow.
 */
export async function loadWorkflows(path: string): Promise<readonly AnyWorkflow[]> {
  const exported = Object.values(await loadModule("--workflows", path)).flat();
  const workflows = exported.filter((value): value is AnyWorkflow => value instanceof Workflow);
  if (workflows.length > 0) return [...new Set(workflows)];
  throw new UsageError(`--workflows: "${path}" exports no workflow; export the workflows, or an array of them`);
}

/**
 * Imports the module that an option names.
 *
 * @throws {UsageError} If it cannot be imported.
 */
export async function loadModule(option: string, path: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return await import(pathToFileURL(resolve(path)).href);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`${option}: cannot import "${path}": ${reason}`);
  }
}
