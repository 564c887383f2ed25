/**
 * Checks that every exported name is documented, in plain English: `deno doc --lint` without its rule
 * `private-type-ref`, which would have every type exported that a public type refers to, the machinery of the compiler
 * included; and the words of the documentation (tests/plain_english.ts).
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import process from "node:process";
import { forbiddenWords } from "../plain_english.ts";

/** Returns the complaints of `deno doc --lint` but those of `private-type-ref`; what is not a complaint is one, too. */
export function complaintsOf(printed: string): readonly string[] {
  // deno-lint-ignore no-control-regex -- the colours of a terminal
  const plain = printed.replaceAll(/\x1b\[[\d;]*m/g, "");
  const [found = ""] = plain.split(/^error: Found \d+ documentation lint error/m);
  return `\n${found}`.split(/^(?=error\[)/m)
    .map((complaint) => complaint.replaceAll(/^(Check|Download) .*$/gm, "").trim())
    .filter((complaint) => complaint !== "" && !complaint.startsWith("error[private-type-ref]"));
}

/** Returns the sentences with forbidden words in what `deno doc --json` printed. */
export function wordsOf(printed: string): readonly string[] {
  const found = new Set<string>();
  JSON.parse(printed, (key, value: unknown) => {
    if (key === "doc" && typeof value === "string") {
      for (const words of forbiddenWords(value)) found.add(`"${words}" is not plain English: ${value}`);
    }
    return value;
  });
  return [...found];
}

if (import.meta.main) {
  const doc = (option: string) =>
    spawnSync(process.execPath, ["doc", option, ...process.argv.slice(2)], {
      encoding: "utf8",
      env: { ...process.env, NO_COLOR: "1" },
      maxBuffer: 64 << 20,
    });
  const { status, stdout, stderr } = doc("--lint");
  // With complaints about other rules than that, or killed, it has no other way to end.
  const complaints = [...status === 0 ? [] : complaintsOf(stderr), ...wordsOf(doc("--json").stdout)];
  for (const complaint of complaints) process.stdout.write(`${complaint}\n\n`);
  const isRead = status === 0 || status === 1 && stderr.includes("error[");
  if (!isRead) process.stdout.write(`deno doc ended with ${status}\n${stdout}${stderr}\n`);
  process.exitCode = isRead && complaints.length === 0 ? 0 : 1;
}
