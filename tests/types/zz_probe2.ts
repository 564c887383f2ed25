import { createRunner, workflow, type AnyWorkflow, type Runner } from "../../mod.ts";
import { etl, flaky } from "./examples.ts";
const a = workflow("a").task("x", { run: () => 1 });
const r1 = await createRunner("sqlite::memory:", { workflows: [etl] });
r1.start("elt");
const r2 = await createRunner("sqlite::memory:", { workflows: [flaky, a] });
r2.start("elt");
declare const w: AnyWorkflow;
r2.start(w);
r2.start(w, 1);
function f(r: Runner<AnyWorkflow>, w: AnyWorkflow) { r.start(w); r.start(w, 1); r.start("x", 1); r.start(etl, { url: "" }); }
f(r2, a);
import { createClient } from "../../mod.ts";
(await createClient("x")).start("etl");
const r3 = await createRunner("sqlite::memory:", { workflows: [etl, flaky] });
r3.start("elt", { url: "" });
