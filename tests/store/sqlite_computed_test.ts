import { assertEquals } from "@std/assert";
import { openConnection } from "../../lib/store/sqlite/driver.ts";
import { migrate } from "../../lib/store/sqlite/migrations.ts";
import { writeOutComputed } from "../../lib/store/sqlite/computed.ts";
import { test } from "../harness.ts";

test("computed columns in a statement are replaced by expressions of the stored columns", () => {
  assertEquals(
    writeOutComputed("select seq from runs where debouncing is not null and debouncing = $1"),
    "select seq from runs where (epoch = 0 and ended_at is null and debounce_key is not null) and " +
      "(case when epoch = 0 and ended_at is null then debounce_key end) = $1",
  );
  assertEquals(
    writeOutComputed("coalesce(o.key_freed, 0) = 0"),
    "coalesce((case when o.key_scope = 'active' and o.ended_at is not null then o.seq end), 0) = 0",
  );
});

test("SQLite computes no column of a run when it is written", async () => {
  const connection = await openConnection(":memory:");
  migrate(connection, "x");
  const hidden = connection.prepare("select name from pragma_table_xinfo('runs') where hidden <> 0").all();
  assertEquals(hidden, []);
  connection.close();
});
