/** How many bytes of inputs and journals a claim returns at most, unless its first run alone has more. */
export const MOST_CLAIM_BYTES: number = 2 * 1024 * 1024;

/** About how many bytes of memory a claimed run takes besides its input and journal. */
export const RUN_BYTES = 512;

/** The same for a row of the journal besides its failures. */
export const HEAD_BYTES = 256;

/** How many rows are read or decoded before the event loop turns: about two milliseconds of work. */
export const SLICE_ROWS = 500;
