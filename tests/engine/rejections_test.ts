import { assertEquals } from "@std/assert";
import process from "node:process";
import { logUnhandledRejections } from "../../lib/engine/rejections.ts";
import { type Logger, silent } from "../../lib/logger.ts";
import { test } from "../harness.ts";

test("whatever a promise is rejected with can be reported", () => {
  const lines: unknown[] = [];
  const logger: Logger = { ...silent, error: (_, fields) => void lines.push(typeof fields?.["error"]) };
  const reasons = [
    Object.assign(new Error("x"), { stack: Object.create(null) }),
    Object.assign(new Error("x"), { stack: undefined, message: Symbol("y") }),
    Object.create(null),
    new Proxy(new Error("x"), { get: () => fail() }),
    new Proxy(new Error("x"), { getPrototypeOf: () => fail() }),
  ];
  const end = logUnhandledRejections(logger);
  for (const reason of reasons) process.emit("unhandledRejection", reason, Promise.resolve());
  end();
  assertEquals(lines, reasons.map(() => "string"));
});

function fail(): never {
  throw new Error("it threw");
}
