import type { FinalVerdict, NewRun, RunMove } from "../../store/port/batch.ts";
import type { OwnedChild } from "../../store/port/inserted_child.ts";
import type { PendingWrite } from "../commit/committer.ts";
import type { LiveRecord, LiveRun, LiveUnit, LiveWrite } from "./live_run.ts";
import type { Spawning } from "./spawning.ts";

/** Receives what becomes of writes. */
export interface WriteObserver {
  /** The write is about to be sent. */
  sent(write: LiveWrite): void;
  /** Its commit has a result, and has inserted these child runs as owned, by id. */
  settled(write: LiveWrite, verdict: FinalVerdict, children: ReadonlyMap<string, OwnedChild>): void;
  /** It is not committed. */
  dropped(write: LiveWrite, error: Error): void;
}

/** Makes a write of a run. */
export function newLiveWrite(run: LiveRun, records: LiveRecord[], observer: WriteObserver): LiveWrite {
  return new ObservedWrite(run, records, observer);
}

/** As with runs and units, what most writes never have stands on the prototype. */
class ObservedWrite implements LiveWrite {
  readonly seq: number;
  readonly epoch: number;
  readonly run: LiveRun;
  readonly records: LiveRecord[];
  move: RunMove | undefined = undefined;
  isSent: boolean = false;
  size: number = 0;
  private readonly observer: WriteObserver;
  declare seen: number | undefined;
  declare parent: number | undefined;
  declare parentHeldAs: number | undefined;
  declare children: NewRun[] | undefined;
  declare hasChildren: boolean;
  declare holds: LiveRun | undefined;
  declare spawning: Spawning | undefined;
  declare waits: LiveUnit[] | undefined;
  declare waiting: { readonly done: () => void; readonly failed: (error: Error) => void }[] | undefined;

  constructor(run: LiveRun, records: LiveRecord[], observer: WriteObserver) {
    this.seq = run.seq;
    this.epoch = run.epoch;
    this.run = run;
    this.records = records;
    this.observer = observer;
    if (run.parent !== undefined) this.parent = run.parent.run;
    if (run.hasChildren) this.hasChildren = true;
  }

  onSend(): void {
    this.observer.sent(this);
  }

  onResult(verdict: FinalVerdict, _: PendingWrite, children: ReadonlyMap<string, OwnedChild>): void {
    this.observer.settled(this, verdict, children);
  }

  onDropped(error: Error): void {
    this.observer.dropped(this, error);
  }
}

Object.assign(ObservedWrite.prototype, {
  seen: undefined,
  parent: undefined,
  parentHeldAs: undefined,
  children: undefined,
  hasChildren: false,
  holds: undefined,
  spawning: undefined,
  waits: undefined,
  waiting: undefined,
});
