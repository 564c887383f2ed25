/**
 * DBOS: workflows called in the process that executes them, which is its quickest way (a queue adds statements and
 * polling), each task a step.
 */
import { body, load, PAYLOAD, type Session, spread, WIDTH, type Work } from "../adapter.ts";
import { countOf, openPool } from "./pg.ts";

const POOL = 20;

const { DBOS } = await load<Dbos>("@dbos-inc/dbos-sdk");

const step = (name: string, payload: string): Promise<string> => DBOS.runStep(() => body(payload), { name });

const chain = DBOS.registerWorkflow(async (payload: string) => {
  return await step("third", await step("second", await step("first", payload)));
}, { name: "chain" });

const fan = DBOS.registerWorkflow(async (payload: string) => {
  const first = await step("first", payload);
  const items = await Promise.all(Array.from({ length: WIDTH }, (_, at) => step(`item${at}`, first)));
  return await step("last", items[0]!);
}, { name: "fan" });

export async function open({ workload, place: { url }, flight }: Work): Promise<Session> {
  DBOS.setConfig({
    name: "bench",
    applicationVersion: "1",
    systemDatabaseUrl: url,
    systemDatabasePoolSize: POOL,
    enableOTLP: false,
    logLevel: "error",
  });
  await DBOS.launch();
  const pool = await openPool(url);
  const isFan = workload === "1 + 100 + 1";
  const one = async (): Promise<void> => void await (isFan ? fan : chain)(PAYLOAD);
  return {
    one,
    carry: (runs) => spread(runs, flight, one),
    ended: () => countOf(pool, "select count(*) from dbos.workflow_status where status = 'SUCCESS'"),
    async close() {
      await pool.end();
      await DBOS.shutdown();
    },
  };
}

interface Dbos {
  readonly DBOS: {
    setConfig(config: {
      readonly name: string;
      readonly applicationVersion: string;
      readonly systemDatabaseUrl: string;
      readonly systemDatabasePoolSize: number;
      readonly enableOTLP: boolean;
      readonly logLevel: string;
    }): void;
    launch(): Promise<void>;
    shutdown(): Promise<void>;
    registerWorkflow<Input, Output>(
      run: (input: Input) => Promise<Output>,
      options: { readonly name: string },
    ): (input: Input) => Promise<Output>;
    runStep<Output>(run: () => Promise<Output>, options: { readonly name: string }): Promise<Output>;
  };
}
