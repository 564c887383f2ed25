import type { Tls } from "./tls.ts";
import { decode, invalidUrl } from "./url_text.ts";

/** The kind of server that a connection is for, as libpq names it. */
export type TargetSession = "read-write" | "read-only" | "primary" | "standby" | "prefer-standby";

/** The parameters of a URL that say how to connect, whichever server and role it names. */
export interface ConnectionParameters {
  /** Encryption; `undefined` leaves it to the driver, which does not encrypt unless `PGSSL` is set. */
  readonly tls: Tls | undefined;
  /** How long to wait for a server that is down, in milliseconds. */
  readonly connectTimeoutMs: number | undefined;
  /** Seconds between two keep-alive probes of an idle connection; 0 for none. */
  readonly keepAliveSeconds: number | undefined;
  /** The required kind of server. */
  readonly targetSession: TargetSession | undefined;
  /** The user's name for the application; the last part of the names of connections. */
  readonly applicationName: string | undefined;
  /** Command-line options for the server, such as `-c geqo=off`. */
  readonly options: string | undefined;
  /** Settings for the connections of users' transactions; those of the engine have their own. */
  readonly settings: Readonly<Record<string, string>>;
}

/** The parsed parameters of a URL. */
export interface Parameters extends ConnectionParameters {
  readonly hosts: readonly string[] | undefined;
  readonly ports: readonly string[] | undefined;
  readonly database: string | undefined;
  readonly user: string | undefined;
  readonly password: string | undefined;
}

/** Settings of the server that a URL may contain; any other setting needs `options=-c name=value`. */
const SETTINGS = new Set([
  "search_path",
  "statement_timeout",
  "lock_timeout",
  "idle_in_transaction_session_timeout",
  "timezone",
  "datestyle",
  "intervalstyle",
]);

/** Parameters of libpq that are refused unless they have any of these values, each with a reason. */
const REFUSED: Readonly<Record<string, { readonly but: readonly string[]; readonly why: string }>> = {
  hostaddr: { but: [], why: 'write the address as "host"' },
  passfile: { but: [], why: "give the password in the URL or by the option `password`" },
  service: { but: [], why: "write its parameters in the URL" },
  servicefile: { but: [], why: "write its parameters in the URL" },
  replication: { but: ["false", "off", "no", "0"], why: "Sluice does not replicate" },
  client_encoding: { but: ["auto", "utf8", "UTF8", "utf-8", "UTF-8"], why: "it is always UTF8" },
  channel_binding: { but: ["disable", "prefer"], why: "the driver has none; use sslmode=verify-full instead" },
  gssencmode: { but: ["disable", "prefer"], why: "the driver has no GSSAPI" },
  gssdelegation: { but: ["0"], why: "the driver has no GSSAPI" },
  gsslib: { but: [], why: "the driver has no GSSAPI" },
  krbsrvname: { but: [], why: "the driver has no GSSAPI" },
  require_auth: { but: [], why: "the driver cannot restrict how the server asks for the password" },
  requirepeer: { but: [], why: "the driver cannot check the owner of a socket" },
  scram_client_key: { but: [], why: "the driver derives the key from the password" },
  scram_server_key: { but: [], why: "the driver derives the key from the password" },
  oauth_issuer: { but: [], why: "the driver has no OAuth; use the option `password` for tokens" },
  oauth_client_id: { but: [], why: "the driver has no OAuth; use the option `password` for tokens" },
  oauth_client_secret: { but: [], why: "the driver has no OAuth; use the option `password` for tokens" },
  oauth_scope: { but: [], why: "the driver has no OAuth; use the option `password` for tokens" },
  requiressl: { but: ["0"], why: "write sslmode=require" },
  sslkeylogfile: { but: [], why: "keys of connections are not written to a file" },
  ssl: { but: [], why: "write sslmode=require, or verify-full to check the certificate as well" },
  sslcompression: { but: ["0"], why: "TLS is not compressed" },
  sslcrl: { but: [], why: "revocation lists are not checked" },
  sslcrldir: { but: [], why: "revocation lists are not checked" },
  sslsni: { but: ["1"], why: "the name of the server is always sent" },
  sslcertmode: { but: ["allow"], why: "sslcert alone decides" },
  ssl_min_protocol_version: { but: ["TLSv1.2"], why: "the runtime decides; its minimum is TLSv1.2" },
  ssl_max_protocol_version: { but: [], why: "the runtime decides" },
  min_protocol_version: { but: ["3.0"], why: "the driver has version 3.0 only" },
  max_protocol_version: { but: ["3.0", "3.2", "latest"], why: "the driver has version 3.0 only" },
  load_balance_hosts: { but: ["disable"], why: "hosts are tried in their order" },
  keepalives_interval: { but: [], why: "use keepalives_idle" },
  keepalives_count: { but: [], why: "use keepalives_idle" },
  tcp_user_timeout: { but: [], why: "each statement has a deadline of its own" },
};

/** The parameters that are read, with the values that those of a fixed set may have. */
const READ = {
  host: undefined,
  port: undefined,
  dbname: undefined,
  user: undefined,
  password: undefined,
  sslmode: ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"],
  sslrootcert: undefined,
  sslcert: undefined,
  sslkey: undefined,
  sslpassword: undefined,
  sslnegotiation: ["postgres", "direct"],
  connect_timeout: undefined,
  keepalives: ["0", "1"],
  keepalives_idle: undefined,
  target_session_attrs: ["any", "read-write", "read-only", "primary", "standby", "prefer-standby"],
  application_name: undefined,
  fallback_application_name: undefined,
  options: undefined,
} as const;

type Name = keyof typeof READ;

/** In these a "+" is a "+"; in others it is a blank, as `URLSearchParams` writes it. */
const LITERAL = new Set<string>(["host", "port", "dbname", "user", "password", "sslpassword"]);

/** Parses the text after the "?" of a URL. */
export function readParameters(query: string): Parameters {
  const given = new Map<string, string>();
  for (const [at, pair] of (query === "" ? [] : query.split("&")).entries()) {
    const [name, value] = readPair(pair, at + 1);
    if (given.has(name)) throw invalidUrl(`its parameter ${name} is given twice`);
    given.set(name, value);
  }
  const get = (name: Name): string | undefined => given.get(name) || undefined;
  return {
    hosts: get("host")?.split(","),
    ports: get("port")?.split(","),
    database: get("dbname"),
    user: get("user"),
    password: get("password"),
    tls: tlsOf(get),
    connectTimeoutMs: seconds("connect_timeout", get("connect_timeout"), 1_000),
    keepAliveSeconds: get("keepalives") === "0" ? 0 : seconds("keepalives_idle", get("keepalives_idle"), 1),
    targetSession: targetOf(get("target_session_attrs")),
    applicationName: get("application_name") ?? get("fallback_application_name"),
    options: get("options"),
    settings: Object.fromEntries([...given].filter(([name]) => SETTINGS.has(name))),
  };
}

function readPair(pair: string, number: number): readonly [name: string, value: string] {
  const at = pair.indexOf("=");
  // Not quoted: the text may be the rest of a password that contains a "?".
  if (at < 0) throw invalidUrl(`its parameter ${number} has no "="`);
  const name = pair.slice(0, at);
  const known = SETTINGS.has(name.toLowerCase()) ? name.toLowerCase() : name;
  const refusal = Object.hasOwn(REFUSED, known) ? REFUSED[known] : undefined;
  if (refusal === undefined && !SETTINGS.has(known) && !isRead(known)) {
    const names = [...Object.keys(READ), ...SETTINGS].join(", ");
    throw invalidUrl(
      `its parameter ${number} is not known; known are ${names}, and for other settings options=-c%20name%3Dvalue`,
    );
  }
  const raw = pair.slice(at + 1);
  const value = decode(LITERAL.has(known) ? raw : raw.replaceAll("+", " "), `its parameter ${known}`);
  // As in libpq: a parameter without a value is not set.
  if (value === "") return [known, value];
  if (refusal !== undefined && !refusal.but.includes(value)) {
    throw invalidUrl(`its parameter ${known} is not supported: ${refusal.why}`);
  }
  const allowed: readonly string[] | undefined = isRead(known) ? READ[known] : undefined;
  if (allowed !== undefined && !allowed.includes(value)) {
    throw invalidUrl(`its parameter ${known} must be one of ${allowed.join(", ")}`);
  }
  return [known, value];
}

function isRead(name: string): name is Name {
  return Object.hasOwn(READ, name);
}

function tlsOf(get: (name: Name) => string | undefined): Tls | undefined {
  const [rootCert, cert, key, keyPassword] = [get("sslrootcert"), get("sslcert"), get("sslkey"), get("sslpassword")];
  const isDirect = get("sslnegotiation") === "direct";
  const mode = modeOf(get("sslmode")) ?? (rootCert === "system" ? "verify-full" : undefined);
  const hasMore = isDirect || [rootCert, cert, key, keyPassword].some((one) => one !== undefined);
  if (rootCert === "system" && mode !== "verify-full") {
    throw invalidUrl("its parameter sslrootcert=system needs sslmode=verify-full");
  }
  if (mode === undefined || mode === "disable" || mode === "allow" || mode === "prefer") {
    if (hasMore) {
      throw invalidUrl("certificates and sslnegotiation=direct need sslmode require, verify-ca or verify-full");
    }
    if (mode === undefined) return undefined;
  }
  if ((cert === undefined) !== (key === undefined)) {
    throw invalidUrl("its parameters sslcert and sslkey need each other");
  }
  return { mode, rootCert, cert, key, keyPassword, isDirect };
}

function modeOf(value: string | undefined): Tls["mode"] | undefined {
  return READ.sslmode.find((mode) => mode === value);
}

function targetOf(value: string | undefined): TargetSession | undefined {
  const found = READ.target_session_attrs.find((one) => one === value);
  return found === "any" ? undefined : found;
}

function seconds(name: string, value: string | undefined, unit: number): number | undefined {
  if (value === undefined) return undefined;
  if (!/^-?\d{1,9}(\.\d{1,9})?$/.test(value)) throw invalidUrl(`its parameter ${name} is not a number of seconds`);
  // libpq treats 0 and negative values as unset.
  return Number(value) > 0 ? Number(value) * unit : undefined;
}
