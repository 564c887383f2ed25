import { newChecks } from "../definition/checks.ts";
import { refuse } from "../engine/options.ts";
import { loadTenants } from "../store/open.ts";
import type { Members } from "./protocol.ts";

type Tenants = Awaited<ReturnType<typeof loadTenants>>;

/** The methods about tenants by their names. */
const TENANT_METHODS: Readonly<Record<string, (tenants: Tenants, url: string, options: Members) => Promise<unknown>>> =
  {
    // Decoder's casts: each checks its options.
    "tenants.create": async ({ createTenant }, url, options) => ({
      created: await createTenant(url, options as unknown as Parameters<Tenants["createTenant"]>[1]),
    }),
    "tenants.remove": async ({ removeTenant }, url, options) => ({
      removed: await removeTenant(url, options as unknown as Parameters<Tenants["removeTenant"]>[1]),
    }),
    "tenants.list": async ({ listTenants }, url, options) => ({ tenants: await listTenants(url, options) }),
  };

/** Returns the method about tenants with a name; `undefined` if there is none. */
export function tenantMethod(name: string): ((params: Members) => Promise<unknown>) | undefined {
  const method = Object.hasOwn(TENANT_METHODS, name) ? TENANT_METHODS[name] : undefined;
  if (method === undefined) return undefined;
  return async (params) => {
    const checks = newChecks();
    const read = checks.options(params, "params", ["url", "options"]);
    const url = checks.text(read["url"], "url");
    if (url === undefined) checks.report("url is missing");
    const options = checks.record(read["options"] ?? {}, "options");
    refuse(`call "${name}"`, checks);
    // Not before it is needed: it loads the driver.
    return await method(await loadTenants(), url!, options);
  };
}
