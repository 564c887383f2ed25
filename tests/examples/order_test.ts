import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { spawn } from "../child.ts";
import { test } from "../harness.ts";
import { tempDir } from "../temp_dir.ts";

test("an order is paid, shipped and delivered, or all of it is undone in reverse order", async () => {
  using dir = tempDir();
  const db = join(dir.path, "orders", "order.db");
  const order = async (...args: readonly string[]): Promise<readonly string[]> => {
    await using child = spawn("../examples/order.ts", [...args, `--db=${db}`]);
    const { code, stdout, stderr } = await child.exited;
    assertEquals({ code, stderr }, { code: 0, stderr: "" });
    return stdout.trim().split("\n");
  };
  for (const [articles, city] of [["250", "Berlin"], ["10", "Atlantis"], ["3", "Rome"]] as const) {
    const [line] = await order("order", articles, city);
    assertEquals(line, `${articles} articles to ${city} are ordered; the order waits for an approval`);
  }
  assertEquals(await order("approve"), [
    "charged 750 €",
    "booked a van to Berlin",
    "packed 250 articles",
    "delivered Berlin-250",
  ]);
  assertEquals(await order("approve"), [
    "charged 30 €",
    "booked a van to Atlantis",
    "packed 10 articles",
    "unpacked Atlantis-10",
    "cancelled the van",
    "refunded 30 €",
    "failed (there is no road to Atlantis); undone: pay, ship",
  ]);
  assertEquals(await order("cancel"), ["cancelled (the customer has changed their mind); undone: nothing"]);
  assertEquals(await order("account"), ['[{"euros":750},{"euros":30},{"euros":-30}]']);
  assertEquals(await order("approve"), ["no order waits"]);
});
