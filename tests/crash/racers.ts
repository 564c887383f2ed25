/**
 * Five processes that race for the ticks of schedules, the checks of polls or the places of limits, and are killed at
 * random. What their bodies and checks do is in an effect log: a line is one append, in the order in which it happened,
 * whichever process it was.
 *
 * @module
 */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import process from "node:process";
import { type Child, spawn } from "../child.ts";
import type { Place } from "../place.ts";
import type { Random } from "../random.ts";

const seconds = process.env["SLUICE_FAULT_SECONDS"];

/** How long a race takes without its outages. */
export const RACE_MS: number = Number(seconds ?? 4) * 1_000;

/** Prints the figures of a long race. */
export function reported(figures: string): void {
  if (seconds !== undefined) console.log(figures);
}

const RUNNERS = 5;

/** A body or check that began or ended in a process, or a process that is about to be killed. */
export interface Line {
  readonly kind: "begin" | "end" | "kill";
  /** The process. */
  readonly pid: number;
  /** The schedule or poll; `-` for a process that is killed. */
  readonly name: string;
  /** The tick, the key, or the number of a check. */
  readonly what: string;
  /** The run; `-` for a check. */
  readonly runId: string;
  /** When it was written, in milliseconds since the epoch. */
  readonly at: number;
}

/** Appends a line. */
export function writeLine(log: string, { kind, pid, name, what, runId }: Omit<Line, "at">): void {
  appendFileSync(log, `${kind} ${pid} ${name} ${what} ${runId} ${Date.now()}\n`);
}

/** All lines. */
export function readLines(log: string): readonly Line[] {
  if (!existsSync(log)) return [];
  return readFileSync(log, "utf8").split("\n").slice(0, -1).map((line) => {
    const [kind, pid, name, what, runId, at] = line.split(" ");
    return { kind: kind as Line["kind"], pid: Number(pid), name: name!, what: what!, runId: runId!, at: Number(at) };
  });
}

/** The configuration of a process in a race: JSON in its first argument. */
export interface RacerConfig extends Place {
  /** The effect log. */
  readonly log: string;
}

/** The processes of a race; disposing of them kills them. */
export interface Racers extends AsyncDisposable {
  /** How often a process was killed. */
  readonly kills: number;
  /** Kills processes at random moments for that time, each while `others` are ready, and restarts each. @default {0} others */
  race(ms: number, others?: number): Promise<void>;
  /** Kills all at once, starts none for so long, and then all. */
  outage(ms: number): Promise<void>;
  /** Resolves when all of them have opened their runners. */
  ready(): Promise<void>;
}

/** Starts one process and, when its runner is open, the others. */
export async function startRacers<Config extends RacerConfig>(
  script: string,
  config: Config,
  random: Random,
): Promise<Racers> {
  interface Racer {
    readonly child: Child;
    readonly ready: Promise<void>;
    isReady: boolean;
  }
  const start = (): Racer => {
    const child = spawn(`crash/${script}`, [JSON.stringify(config)]);
    const began = (): void => void (racer.isReady = true);
    // Not if it is killed before.
    const racer: Racer = { child, ready: child.until("ready").then(began, () => {}), isReady: false };
    return racer;
  };
  let kills = 0;
  const racers: Racer[] = [start()];
  await racers[0]!.ready;
  while (racers.length < RUNNERS) racers.push(start());
  return {
    get kills() {
      return kills;
    },
    async race(ms, others = 0) {
      for (const end = performance.now() + ms; performance.now() < end;) {
        await pause(300 + random.next() * 700);
        const at = random.below(RUNNERS);
        if (racers.filter(({ isReady }, other) => isReady && other !== at).length < others) continue;
        // Mostly one that is at work: a process takes longer to start than many a race lets it live.
        if (random.chance(0.8)) await racers[at]!.ready;
        await kill(racers[at]!);
        racers[at] = start();
      }
    },
    async outage(ms) {
      await Promise.all(racers.map(kill));
      await pause(ms);
      for (let at = 0; at < RUNNERS; at++) racers[at] = start();
    },
    async ready() {
      for (const { ready } of racers) await ready;
    },
    async [Symbol.asyncDispose]() {
      for (const { child } of racers) child.kill("SIGKILL");
      await Promise.all(racers.map(({ child }) => child.exited));
    },
  };

  async function kill({ child }: Racer): Promise<void> {
    kills++;
    writeLine(config.log, { kind: "kill", pid: child.pid, name: "-", what: "-", runId: "-" });
    child.kill("SIGKILL");
    await child.exited;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * What is wrong with the effects of runs, in words: a tick or key with several runs, or an effect of a run that is not
 * in the store.
 */
export function wrongRuns(lines: readonly Line[], stored: ReadonlyMap<string, string>): readonly string[] {
  const runOf = new Map<string, string>();
  const wrong = new Set<string>();
  for (const { kind, name, what, runId } of lines) {
    if (kind === "kill" || runId === "-") continue;
    const due = `${name} ${what}`;
    const before = runOf.get(due);
    if (before !== undefined && before !== runId) wrong.add(`${due} has the runs ${before} and ${runId}`);
    if (stored.get(due) !== runId) wrong.add(`${due} had effects of run ${runId}, the store has ${stored.get(due)}`);
    runOf.set(due, runId);
  }
  return [...wrong];
}

/** What is wrong with work that is one at a time, in words: a process begins it while another one is at it and lives. */
export function wrongTurns(lines: readonly Line[]): readonly string[] {
  const killed = new Set<number>();
  const atWork = new Map<string, number>();
  const wrong: string[] = [];
  for (const { kind, pid, name, what } of lines) {
    if (kind === "kill") {
      killed.add(pid);
      continue;
    }
    const other = atWork.get(name);
    if (kind === "begin") {
      if (other !== undefined && !killed.has(other)) wrong.push(`${name} ${what} by ${pid}: ${other} is at it`);
      atWork.set(name, pid);
    } else if (other === pid) atWork.delete(name);
  }
  return wrong;
}
