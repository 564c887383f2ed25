/**
 * Lets Node run the tests (`node --import ./tests/node/resolve.ts`): maps imports of `@std/assert`, as deno.json does, and
 * imports of the library's sources to the modules that were built from them in the folder SLUICE_NPM_PACKAGE.
 *
 * @module
 */
import { registerHooks } from "node:module";
import process from "node:process";
import { pathToFileURL } from "node:url";

const ROOT = new URL("../../", import.meta.url).href;
const folder = process.env["SLUICE_NPM_PACKAGE"];
if (folder === undefined) throw new Error("SLUICE_NPM_PACKAGE does not name the folder of the built package");
const BUILT = `${pathToFileURL(folder).href}/`;

registerHooks({
  resolve(specifier, context, next) {
    if (specifier === "@std/assert") {
      return next(new URL("tests/std_assert/mod.ts", ROOT).href, context);
    }
    // What a built module imports is installed beside the tests.
    const isPackage = !/^(\.|\/|file:|node:)/.test(specifier);
    const parentURL = isPackage && context.parentURL?.startsWith(BUILT) ? `${ROOT}mod.ts` : context.parentURL;
    const resolved = next(specifier, { ...context, parentURL });
    const { url } = resolved;
    if (!url.startsWith(ROOT) || !/^(mod|lib\/.+)\.ts$/.test(url.slice(ROOT.length))) return resolved;
    return { ...resolved, url: url.replace(ROOT, BUILT).replace(/\.ts$/, ".js"), format: "module" };
  },
});
