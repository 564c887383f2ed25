import type { AnyWorkflow, Registered, IsAny } from "../../mod.ts";
import { etl, flaky } from "./examples.ts";
type K = typeof etl;
export const a: Registered<K, AnyWorkflow> = 1;
export const b: IsAny<AnyWorkflow["name"]> = 1;
export const c: AnyWorkflow["name"] = 1;
