/**
 * Five processes that race for the ticks of schedules, the checks of polls or the slots of limits, and are killed at
 * random. Their bodies and checks write to one effect log: each line is one append, so that lines are in the order in
 * which the effects happened in all processes.
 *
 * @module
 */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import process from "node:process";
import { type Child, spawn } from "../child.ts";
import type { Place } from "../place.ts";
import type { Random } from "../random.ts";

const seconds = process.env["SLUICE_FAULT_SECONDS"];

/** How long a race takes without its outages, in milliseconds. */
export const RACE_MS: number = Number(seconds ?? 4) * 1_000;

/** Prints the figures of a long race. */
export function reported(figures: string): void {
  if (seconds !== undefined) console.log(figures);
}

const RUNNERS = 5;

/** A body or check that began or ended in a process, or a process that is about to be killed. */
export interface Line {
  readonly kind: "begin" | "end" | "kill";
  /** The process id. */
  readonly pid: number;
  /** The schedule or poll; `-` for a process that is killed. */
  readonly name: string;
  /** The tick, the key, or the number of a check. */
  readonly what: string;
  /** The run; `-` for a check. */
  readonly runId: string;
  /** The time of writing, in milliseconds since the epoch. */
  readonly at: number;
}

/** Appends a line. */
export function writeLine(log: string, { kind, pid, name, what, runId }: Omit<Line, "at">): void {
  appendFileSync(log, `${kind} ${pid} ${name} ${what} ${runId} ${Date.now()}\n`);
}

/** Reads all lines. */
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

/** The processes of a race; disposal kills them. */
export interface Racers extends AsyncDisposable {
  /** How many times a process was killed. */
  readonly kills: number;
  /** Kills and restarts processes at random moments for that time, while `others` are ready. @default {0} others */
  race(ms: number, others?: number): Promise<void>;
  /** Kills all processes at once, and restarts all of them after that time. */
  outage(ms: number): Promise<void>;
  /** Resolves when all processes have opened their runners. */
  ready(): Promise<void>;
}

/** Starts one process, and the others when its runner is open. */
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
        // Mostly a ready one: many races give a process less time than it takes to start.
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
 * Returns descriptions of faults in the effects of runs: a tick or key with several runs, or an effect of a run that is
 * not in the store.
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

/** Returns descriptions of overlaps in exclusive work: a process begins it while another live process performs it. */
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
