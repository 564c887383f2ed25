import { assertEquals } from "@std/assert";
import { readFileSync } from "node:fs";
import { compilerTest } from "../harness.ts";
import { checkSource } from "./compiler.ts";

for (const name of ["negative_definitions.ts", "negative_running.ts"]) {
  compilerTest(`the compiler says of each wrong line of ${name} what its comment says, and nothing else`, () => {
    const source = readFileSync(new URL(name, import.meta.url), "utf8");
    const lines = source.split("\n");
    const expected = lines.flatMap((line, i) =>
      line.startsWith(EXPECT) ? [`${i + 2}: ${line.slice(EXPECT.length)}`] : []
    );
    // Without the directive, the compiler reports the error of the next line.
    const { complaints } = checkSource(source.replaceAll("// @ts-expect-error", "// an error:"));
    assertEquals(complaints.map(({ line, message }) => `${line}: ${shown(message)}`), expected);
  });
}

const EXPECT = "// @ts-expect-error ";

/** The first line of a message, or the last one if the first does not name the mistake. */
function shown(message: string): string {
  const [first = "", ...rest] = message.split("\n");
  const last = rest.at(-1)?.trim();
  return last !== undefined && /^(Type '\(|Argument of type '\{|No overload)/.test(first) ? `… ${last}` : first;
}
