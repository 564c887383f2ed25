/** README.md and the pages of docs/: their size, the targets of their links, and the checks of their code. */
import { assert, assertEquals } from "@std/assert";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "./harness.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const PAGES = ["README.md", ...readdirSync(join(ROOT, "docs")).map((name) => `docs/${name}`)];

test("README.md has at most 150 lines", () => {
  assert(read("README.md").split("\n").length <= 151);
});

test("every page of docs/ can be reached from README.md", () => {
  const reached = new Set<string>();
  const next = ["README.md"];
  for (let page = next.pop(); page !== undefined; page = next.pop()) {
    reached.add(page);
    for (const { file } of linksOf(page)) if (PAGES.includes(file) && !reached.has(file)) next.push(file);
  }
  assertEquals(PAGES.filter((page) => !reached.has(page)), []);
});

test("every link of README.md and docs/ leads to a file, and to a heading in it", () => {
  const broken = PAGES.flatMap((page) =>
    linksOf(page)
      .filter(({ file, anchor }) =>
        !existsSync(join(ROOT, file)) || (anchor !== "" && !anchorsOf(file).includes(anchor))
      )
      .map(({ file, anchor }) => `${page} -> ${file}#${anchor}`)
  );
  assertEquals(broken, []);
});

test("every block of TypeScript in README.md and docs/ is type-checked and executed", () => {
  const blocks = PAGES.flatMap((page) =>
    [...read(page).matchAll(/^```(ts|typescript|js|javascript)\b(.*)$/gm)].map(([fence]) => ({ page, fence }))
  );
  assert(blocks.length > 30);
  assertEquals(blocks.filter(({ fence }) => fence !== "```ts"), []);
});

test("the links of README.md are relative, so that JSR and npm resolve them to the repository", () => {
  const targets = [...withoutCode(read("README.md")).matchAll(/\]\(([^)\s]+)\)|src="([^"]+)"/g)]
    .map(([, link, image]) => link ?? image!);
  assert(targets.length > 10);
  assertEquals(targets.filter((target) => /^(\/|\.\.)/.test(target)), []);
});

/** Returns the links of a page to files of the project, as paths from the root of the project. */
function linksOf(page: string): { readonly file: string; readonly anchor: string }[] {
  const text = withoutCode(read(page));
  const targets = [...text.matchAll(/\]\(([^)\s]+)\)|(?:src|srcset)="([^"]+)"/g)].map(([, link, image]) =>
    link ?? image!
  );
  return targets.filter((target) => !/^[a-z]+:/.test(target)).map((target) => {
    const [path = "", anchor = ""] = target.split("#");
    return { file: path === "" ? page : join(dirname(page), path), anchor };
  });
}

/** Returns the anchors of the headings of a page, as GitHub names them. */
function anchorsOf(page: string): string[] {
  return [...withoutCode(read(page)).matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading!.toLowerCase().replaceAll(/[^a-z0-9 -]/g, "").replaceAll(" ", "-")
  );
}

function withoutCode(text: string): string {
  return text.replaceAll(/^```[^]*?^```/gm, "");
}

function read(page: string): string {
  return readFileSync(join(ROOT, page), "utf8");
}
