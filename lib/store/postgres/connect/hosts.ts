/** The order in which the connections of a store try the hosts of its URL. */
export interface HostOrder {
  /** The index of the host to try first: the last one that was usable. */
  readonly first: number;
  /** Whether every host was passed over since one was usable. */
  readonly isExhausted: boolean;
  /** Records that a host cannot be used at the moment; the next host becomes the first. */
  passOver(at: number): void;
  /** Records that a host can be used. */
  use(at: number): void;
}

/**
 * Creates the order of a number of hosts. All connections of a store share it: after a failover one of them finds the
 * new primary, and the others need not try the old one first.
 */
export function createHostOrder(count: number): HostOrder {
  let first = 0;
  let passed = 0;
  return {
    get first() {
      return first;
    },
    get isExhausted() {
      return passed >= count;
    },
    passOver(at) {
      if (at !== first) return;
      first = (at + 1) % count;
      passed++;
    },
    use(at) {
      first = at;
      passed = 0;
    },
  };
}
