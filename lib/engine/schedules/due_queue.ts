/** Names by when they are due. */
export interface DueQueue {
  /** When the first is due; `undefined` if there is none. */
  readonly firstAt: number | undefined;
  /** Sets when a name is due; `undefined` removes it. */
  set(name: string, at: number | undefined): void;
  /** Makes a name due at this time, unless it is due before. */
  hasten(name: string, at: number): void;
  /** Removes and returns the names that are due at a time, at most `most`. */
  take(now: number, most: number): readonly string[];
}

interface Item {
  readonly name: string;
  readonly at: number;
}

/** Creates an empty queue: a binary heap, in which items that were set again stay until they are first. */
export function createDueQueue(): DueQueue {
  const dueAt = new Map<string, number>();
  const heap: Item[] = [];
  return {
    get firstAt() {
      dropOutdated();
      return heap[0]?.at;
    },
    set,
    hasten(name, at) {
      const known = dueAt.get(name);
      if (known === undefined || known > at) set(name, at);
    },
    take(now, most) {
      const names: string[] = [];
      for (dropOutdated(); names.length < most && heap.length > 0 && heap[0]!.at <= now; dropOutdated()) {
        const { name } = removeFirst();
        dueAt.delete(name);
        names.push(name);
      }
      return names;
    },
  };

  function set(name: string, at: number | undefined): void {
    if (at === undefined) return void dueAt.delete(name);
    if (dueAt.get(name) === at) return;
    dueAt.set(name, at);
    let child = heap.push({ name, at }) - 1;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (heap[parent]!.at <= heap[child]!.at) break;
      swap(parent, child);
      child = parent;
    }
  }

  function dropOutdated(): void {
    while (heap.length > 0 && dueAt.get(heap[0]!.name) !== heap[0]!.at) removeFirst();
  }

  function removeFirst(): Item {
    swap(0, heap.length - 1);
    const first = heap.pop()!;
    for (let parent = 0;;) {
      const left = 2 * parent + 1;
      if (left >= heap.length) return first;
      const child = left + 1 < heap.length && heap[left + 1]!.at < heap[left]!.at ? left + 1 : left;
      if (heap[parent]!.at <= heap[child]!.at) return first;
      swap(parent, child);
      parent = child;
    }
  }

  function swap(one: number, other: number): void {
    [heap[one], heap[other]] = [heap[other]!, heap[one]!];
  }
}
