import type { Schema } from "../../mod.ts";

/** Accepts even numbers. */
export const even: Schema<number, number> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value) =>
      typeof value === "number" && value % 2 === 0 ? { value } : { issues: [{ message: "must be even" }] },
  },
};
