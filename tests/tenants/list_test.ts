import { assertEquals } from "@std/assert";
import { readTenants } from "../../lib/store/postgres/tenants/tenant_list.ts";
import { test } from "../harness.ts";

test("a schema that the list omits is logged once, however often the list is read", async () => {
  const lines: string[] = [];
  let readings = 0;
  const tenants = await readTenants({
    name: "the database",
    logger: { debug() {}, info() {}, warn: (line) => void lines.push(line), error() {} },
    single(_role, sql) {
      if (sql.includes("pg_namespace")) {
        readings++;
        return Promise.resolve(Object.assign([
          { schema: "kept", stranger: null, bytes: "0", roles: null },
          { schema: "strange", stranger: "mallory", bytes: "0", roles: null },
        ], { command: "SELECT", count: 2 }));
      }
      // Another schema has been removed since then.
      if (readings < 3) {
        return Promise.reject(Object.assign(new Error("no such schema"), { severity: "ERROR", code: "3F000" }));
      }
      return Promise.resolve(Object.assign([{ schema: "kept", answer: "1" }], { command: "SELECT", count: 1 }));
    },
  });
  assertEquals([readings, tenants.map(({ schema }) => schema)], [3, ["kept"]]);
  assertEquals(lines.length, 1);
  assertEquals(lines[0]!.includes('role "mallory"'), true);
});
