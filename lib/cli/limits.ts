import { type LaneInfo, MOST_LANES } from "../engine/limits/lane_info.ts";
import { type Command, withClient } from "./call.ts";
import { columns } from "./printable.ts";

/** Lists the lanes of limits. */
export const limits: Command = {
  name: "limits",
  summary: "Lists the limits in use by key: slots, holders and waiters",
  args: ["store"],
  options: {
    limit: { type: "string", value: "name", text: "only this limit" },
  },
  notes: `Lists at most ${MOST_LANES} keys, those with the most waiters first. HELD SINCE is the time of the oldest ` +
    "holder, WAITING SINCE that of the next waiter.",
  async execute(call) {
    const { values: { limit }, flags, terminal } = call;
    const options = { lanes: MOST_LANES, ...limit === undefined ? {} : { limit } };
    const lanes = await withClient(call, [], (client) => client.limits(options));
    if (flags.has("json")) terminal.print(JSON.stringify({ lanes }));
    else for (const line of shown(lanes)) terminal.print(line);
    return 0;
  },
};

function shown(lanes: readonly LaneInfo[]): readonly string[] {
  if (lanes.length === 0) return ["No limit is in use: nothing holds or waits for a slot."];
  const time = (at: number | undefined): string => at === undefined ? "-" : new Date(at).toISOString();
  const rows = lanes.map(({ limit, key, max, per, held, waiting, holders, waiters }) => [
    limit,
    key.length === 0 ? "-" : key.join("/"),
    per === undefined ? String(max) : `${max} per ${per} ms`,
    String(held),
    String(waiting),
    time(holders[0]?.since),
    time(waiters[0]?.since),
  ]);
  return columns([["LIMIT", "KEY", "PLACES", "HELD", "WAITING", "HELD SINCE", "WAITING SINCE"], ...rows]);
}
