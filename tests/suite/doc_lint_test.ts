/** The stage `docs` reports names without documentation, and accepts types that are not exported. */
import { assertEquals } from "@std/assert";
import { test } from "../harness.ts";
import { complaintsOf, wordsOf } from "./doc_lint.ts";

const PRIVATE = `error[private-type-ref]: public type 'Workflow' references private type 'AnyStep'
  --> /tmp/a.ts:46:1
   = hint: make the referenced type public or remove the reference

`;
const MISSING = `error[missing-jsdoc]: exported symbol is missing JSDoc documentation
  --> /tmp/a.ts:3:1
   |
3 | export const a = 1;

`;
const END = "error: Found 2 documentation lint errors.\n\nStack backtrace:\n   0: <unknown>\n";

test("the lint of documentation complains of what is not documented, and not of types that are not exported", () => {
  assertEquals(complaintsOf(PRIVATE + PRIVATE + END), []);
  assertEquals(complaintsOf(PRIVATE + MISSING + PRIVATE + END), [MISSING.trim()]);
  assertEquals(complaintsOf(PRIVATE + MISSING + END), [MISSING.trim()]);
  assertEquals(complaintsOf("\x1b[1merror[missing-jsdoc]\x1b[0m: a\n" + END), ["error[missing-jsdoc]: a"]);
  assertEquals(complaintsOf('error: Module not found "file:///tmp/b.ts".\n' + PRIVATE + END), [
    'error: Module not found "file:///tmp/b.ts".',
  ]);
});

test("documentation with a forbidden word is a complaint", () => {
  const printed = { nodes: [{ jsDoc: { doc: "Is told\nof runs." } }, { jsDoc: { doc: "Receives runs." } }] };
  assertEquals(wordsOf(JSON.stringify(printed)), ['"is told" is not plain English: Is told\nof runs.']);
});
