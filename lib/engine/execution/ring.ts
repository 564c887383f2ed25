/** A queue whose both ends cost the same however long it is. */
export interface Ring<T> {
  /** Adds at the end. */
  push(value: T): void;
  /** Removes from the beginning; `undefined` if it is empty. */
  shift(): T | undefined;
  /** Returns what `shift()` would remove. */
  peek(): T | undefined;
}

/** An empty queue. */
export function createRing<T>(): Ring<T> {
  // Taken from the end of `front`, added to `back`: two arrays cost less than one that moves with each `shift`.
  let front: T[] = [];
  let back: T[] = [];
  return {
    push: (value) => void back.push(value),
    shift() {
      turn();
      return front.pop();
    },
    peek() {
      turn();
      return front.at(-1);
    },
  };

  function turn(): void {
    if (front.length === 0) [front, back] = [back.reverse(), front];
  }
}
