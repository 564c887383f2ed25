// The code of each class of error, as the compiler sees it, and the union of all of them.
import * as sluice from "../../mod.ts";
import { type IsEqual, isTrue } from "./is_equal.ts";

type Exports = typeof sluice;

/** The codes of every exported class of error but the base class, whose code is any text. */
type Codes = {
  [Name in keyof Exports]: Exports[Name] extends abstract new (...args: never[]) => infer Thrown
    ? Thrown extends sluice.SluiceError ? string extends Thrown["code"] ? never : Thrown["code"] : never
    : never;
}[keyof Exports];

isTrue<IsEqual<Codes, sluice.ErrorCode | sluice.StoreErrorCode>>();

function codesOf(error: unknown): void {
  if (error instanceof sluice.RunStateError) isTrue<IsEqual<typeof error.code, "run_state">>();
  if (error instanceof sluice.PayloadError) {
    isTrue<IsEqual<typeof error.code, "unstorable_payload" | "payload_too_large">>();
  }
  // @ts-expect-error no store has this code
  if (error instanceof sluice.StoreError && error.code === "no_shema") return;
  // @ts-expect-error no error has this code
  if (error instanceof sluice.RunFailedError && error.code === "run_state") return;
}
codesOf(new sluice.RunFailedError("id", "workflow", new Error("failed"), []));
