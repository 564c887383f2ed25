import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { StoreError } from "../../lib/errors.ts";
import { silent } from "../../lib/logger.ts";
import { createPostgresPool, createTenant, listTenants, openPostgresStore } from "../../lib/store/postgres/mod.ts";
import { parsePostgresUrl } from "../../lib/store/postgres/connect/url.ts";
import { openSqliteStore } from "../../lib/store/sqlite/mod.ts";
import { createClient, createRunner } from "../../mod.ts";
import { test } from "../harness.ts";

/** Parses a URL and returns the parts that it specifies. */
function read(url: string): Record<string, unknown> {
  const { settings, ...rest } = parsePostgresUrl(url);
  const all = Object.entries({ ...rest, ...(Object.keys(settings).length === 0 ? {} : { settings }) });
  return Object.fromEntries(all.filter(([, value]) => value !== undefined));
}

const tls = (mode: string, more: object = {}): object => ({
  mode,
  rootCert: undefined,
  cert: undefined,
  key: undefined,
  keyPassword: undefined,
  isDirect: false,
  ...more,
});

const at = (host: string, port?: number): object => ({ host, port });
const local = { name: "postgres://h/db", hosts: [at("h")], database: "db" };

/** URLs and their expected parts. */
const READ: Readonly<Record<string, object>> = {
  // The parts
  "postgres://h/db": local,
  "postgresql://h/db": { ...local, name: "postgresql://h/db" },
  "POSTGRES://h/db": local,
  "postgres://": { name: "postgres://" },
  "postgres:///db": { name: "postgres:///db", database: "db" },
  "postgres://h": { name: "postgres://h", hosts: [at("h")] },
  "postgres://h/": { name: "postgres://h", hosts: [at("h")] },
  "postgres://h:6432/db": { ...local, name: "postgres://h:6432/db", hosts: [at("h", 6432)] },
  "postgres://h:/db": local,
  "postgres://me@h/db": { ...local, user: "me" },
  "postgres://me:@h/db": { ...local, user: "me" },
  "postgres://me:secret@h/db": { ...local, user: "me", password: "secret" },
  "postgres://:secret@h/db": { ...local, password: "secret" },
  "postgres://me:secret@/db": { name: "postgres:///db", database: "db", user: "me", password: "secret" },
  // Percent-encoding
  "postgres://m%40corp:p%3A%2F%3F%23%25%20%40w@h/db": { ...local, user: "m@corp", password: "p:/?#% @w" },
  "postgres://me:p%C3%A4ss@h/db": { ...local, user: "me", password: "päss" },
  "postgres://me:päss+w&=;$!*'(),~@h/db": { ...local, user: "me", password: "päss+w&=;$!*'(),~" },
  "postgres://h/my%20db%2Fa": { name: "postgres://h/my%20db%2Fa", hosts: [at("h")], database: "my db/a" },
  // Hosts
  "postgres://db_1.example-a.org./db": {
    name: "postgres://db_1.example-a.org./db",
    hosts: [at("db_1.example-a.org.")],
    database: "db",
  },
  "postgres://127.0.0.1:5432/db": {
    name: "postgres://127.0.0.1:5432/db",
    hosts: [at("127.0.0.1", 5432)],
    database: "db",
  },
  "postgres://[::1]/db": { name: "postgres://[::1]/db", hosts: [at("::1")], database: "db" },
  "postgres://me:secret@[2001:db8::7]:6432/db": {
    name: "postgres://[2001:db8::7]:6432/db",
    hosts: [at("2001:db8::7", 6432)],
    database: "db",
    user: "me",
    password: "secret",
  },
  "postgres://a,b:6432,[::1]:1/db": {
    name: "postgres://a,b:6432,[::1]:1/db",
    hosts: [at("a"), at("b", 6432), at("::1", 1)],
    database: "db",
  },
  "postgres://me:secret@a,b/db?port=1,2": {
    name: "postgres://a:1,b:2/db",
    hosts: [at("a", 1), at("b", 2)],
    database: "db",
    user: "me",
    password: "secret",
  },
  "postgres:///db?host=a,b&port=7": {
    name: "postgres://a:7,b:7/db",
    hosts: [at("a", 7), at("b", 7)],
    database: "db",
  },
  "postgres:///?port=7": { name: "postgres://localhost:7", hosts: [at("localhost", 7)] },
  // Sockets
  "postgres:///db?host=/run/postgresql": {
    name: "postgres://%2Frun%2Fpostgresql/db",
    hosts: [at("/run/postgresql")],
    database: "db",
  },
  "postgres://%2Frun%2Fpostgresql:6432/db": {
    name: "postgres://%2Frun%2Fpostgresql:6432/db",
    hosts: [at("/run/postgresql", 6432)],
    database: "db",
  },
  "postgres://me:secret@%2Frun/db?sslmode=require": {
    name: "postgres://%2Frun/db",
    hosts: [at("/run")],
    database: "db",
    user: "me",
    password: "secret",
  },
  // Parameters override the login and the database, as in libpq
  "postgres://me:secret@h/db?user=you&password=p%26w&dbname=other": {
    ...local,
    name: "postgres://h/other",
    database: "other",
    user: "you",
    password: "p&w",
  },
  "postgres://h/db?user=me&password=a+b": { ...local, user: "me", password: "a+b" },
  // Encryption
  ...Object.fromEntries(
    ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"].map((mode) => [
      `postgres://h/db?sslmode=${mode}`,
      { ...local, tls: tls(mode) },
    ]),
  ),
  "postgres://h/db?sslmode=verify-full&sslrootcert=/etc/ca.pem&sslcert=c.pem&sslkey=k.pem&sslpassword=pw": {
    ...local,
    tls: tls("verify-full", { rootCert: "/etc/ca.pem", cert: "c.pem", key: "k.pem", keyPassword: "pw" }),
  },
  "postgres://h/db?sslrootcert=system": { ...local, tls: tls("verify-full", { rootCert: "system" }) },
  "postgres://h/db?sslmode=require&sslnegotiation=direct": { ...local, tls: tls("require", { isDirect: true }) },
  // Others
  "postgres://h/db?connect_timeout=3": { ...local, connectTimeoutMs: 3_000 },
  "postgres://h/db?connect_timeout=0.2": { ...local, connectTimeoutMs: 200 },
  "postgres://h/db?connect_timeout=0": local,
  "postgres://h/db?keepalives_idle=15": { ...local, keepAliveSeconds: 15 },
  "postgres://h/db?keepalives=0": { ...local, keepAliveSeconds: 0 },
  "postgres://h/db?target_session_attrs=any": local,
  ...Object.fromEntries(
    ["read-write", "read-only", "primary", "standby", "prefer-standby"].map((targetSession) => [
      `postgres://a,b/db?target_session_attrs=${targetSession}`,
      { name: "postgres://a,b/db", hosts: [at("a"), at("b")], database: "db", targetSession },
    ]),
  ),
  "postgres://h/db?application_name=my%20app": { ...local, applicationName: "my app" },
  "postgres://h/db?fallback_application_name=psql": { ...local, applicationName: "psql" },
  "postgres://h/db?options=-c%20geqo%3Doff+-c+jit%3Don": { ...local, options: "-c geqo=off -c jit=on" },
  "postgres://h/db?search_path=a,b&TimeZone=UTC": { ...local, settings: { search_path: "a,b", timezone: "UTC" } },
  "postgres://h/db?channel_binding=prefer&gssencmode=disable&client_encoding=UTF8": local,
  // Parameters whose only accepted value is the default
  ...Object.fromEntries(
    [
      ...["replication=false", "replication=off", "client_encoding=auto", "channel_binding=disable"],
      ...["gssencmode=prefer", "gssdelegation=0", "sslcompression=0", "sslsni=1", "sslcertmode=allow", "requiressl=0"],
      ...["ssl_min_protocol_version=TLSv1.2", "min_protocol_version=3.0", "max_protocol_version=3.2"],
      ...["max_protocol_version=latest", "load_balance_hosts=disable", "target_session_attrs=", "connect_timeout=-1"],
      ...["keepalives=1", "service=", "passfile="],
    ].map((parameter) => [`postgres://h/db?${parameter}`, local]),
  ),
};

/** Each parameter of libpq that Sluice rejects, with an unsupported value and a part of the reason. */
const NOT_HONOURED: Readonly<Record<string, readonly [value: string, reason: string]>> = {
  hostaddr: ["127.0.0.1", 'write the address as "host"'],
  passfile: ["/home/me/.pgpass", "by the option `password`"],
  service: ["mine", "write its parameters in the URL"],
  servicefile: ["/etc/pg_service.conf", "write its parameters in the URL"],
  replication: ["database", "does not replicate"],
  client_encoding: ["latin1", "always UTF8"],
  channel_binding: ["require", "the driver has none"],
  gssencmode: ["require", "no GSSAPI"],
  gssdelegation: ["1", "no GSSAPI"],
  gsslib: ["gssapi", "no GSSAPI"],
  krbsrvname: ["postgres", "no GSSAPI"],
  require_auth: ["scram-sha-256", "cannot restrict"],
  requirepeer: ["postgres", "cannot check the owner"],
  requiressl: ["1", "sslmode=require"],
  ssl: ["true", "sslmode=require"],
  sslcompression: ["1", "not compressed"],
  sslcrl: ["/etc/crl.pem", "revocation lists"],
  sslcrldir: ["/etc/crl", "revocation lists"],
  sslsni: ["0", "always sent"],
  sslcertmode: ["require", "sslcert alone decides"],
  sslkeylogfile: ["/tmp/keys", "not written"],
  ssl_min_protocol_version: ["TLSv1.3", "the runtime decides"],
  ssl_max_protocol_version: ["TLSv1.2", "the runtime decides"],
  min_protocol_version: ["3.2", "version 3.0 only"],
  max_protocol_version: ["3.1", "version 3.0 only"],
  scram_client_key: ["AAAA", "from the password"],
  scram_server_key: ["AAAA", "from the password"],
  oauth_issuer: ["https://id.example.org", "no OAuth"],
  oauth_client_id: ["me", "no OAuth"],
  oauth_client_secret: ["hunter2", "no OAuth"],
  oauth_scope: ["all", "no OAuth"],
  load_balance_hosts: ["random", "in their order"],
  keepalives_interval: ["10", "use keepalives_idle"],
  keepalives_count: ["3", "use keepalives_idle"],
  tcp_user_timeout: ["1000", "deadline of its own"],
};

for (const [name, [value, reason]] of Object.entries(NOT_HONOURED)) {
  test(`the parameter ${name} of a URL is rejected with its name and the reason`, () => {
    const url = `postgres://me:hunter2@h/db?${name}=${encodeURIComponent(value)}`;
    const error = assertThrows(() => parsePostgresUrl(url), StoreError, `its parameter ${name} is not supported`);
    assertStringIncludes(error.message, reason);
    assert(!error.message.includes("hunter2"));
  });
}

for (const [url, expected] of Object.entries(READ)) {
  test(`the URL ${url} is parsed`, () => assertEquals(read(url), { ...expected }));
}

/** The password of each of the URLs below, which no message may contain. */
const SECRET = "hunter2";

/** URLs that are rejected, with a part of the reason. */
const REFUSED: Readonly<Record<string, string>> = {
  // Logins that are not encoded
  [`postgres://me@corp:${SECRET}@h/db`]: 'more than one "@"',
  [`postgres://me:${SECRET}@2@h/db`]: 'more than one "@"',
  [`postgres://me:${SECRET}:2@h/db`]: 'more than one ":"',
  [`postgres://me:${SECRET}/2@h/db`]: "the name of the database contains",
  [`postgres://me:5/${SECRET}@h:5432/db`]: "the name of the database contains",
  [`postgres://me:${SECRET}?2@h/db`]: 'the parameters contain "@"',
  [`postgres://me:5?${SECRET}=1&x@h/db`]: 'the parameters contain "@"',
  [`postgres://me:${SECRET}#2@h/db`]: "not a Postgres URL",
  [`postgres://me:${SECRET}%@h/db`]: 'a "%" that does not begin an escape',
  [`postgres://me:${SECRET}%FF@h/db`]: 'a "%" that does not begin an escape',
  [`postgres://me:${SECRET}%00@h/db`]: "has a NUL",
  [`postgres://me:${SECRET} 2@h/db`]: "blanks, line breaks or control characters",
  [`postgres://me:${SECRET}\t@h/db`]: "blanks, line breaks or control characters",
  [`postgres://me:${SECRET}@h/db\n`]: "blanks, line breaks or control characters",
  [` postgres://me:${SECRET}@h/db`]: "not of the form",
  [`\ufeffpostgres://me:${SECRET}@h/db`]: "not of the form",
  // Not a URL, or one of another database
  [`postgres:/me:${SECRET}@h/db`]: "not of the form",
  [`postgres:me:${SECRET}@h/db`]: "not of the form",
  [`postgres:\\\\me:${SECRET}@h\\db`]: "not of the form",
  [`postgres//me:${SECRET}@h/db`]: "not of the form",
  [`me:${SECRET}@h/db`]: "not of the form",
  [`//me:${SECRET}@h/db`]: "not of the form",
  [`"postgres://me:${SECRET}@h/db"`]: "not of the form",
  [`url=postgres://me:${SECRET}@h/db`]: "not of the form",
  [`jdbc:postgresql://h/db?user=me&password=${SECRET}`]: "not of the form",
  [`postgres+psycopg://me:${SECRET}@h/db`]: "not of the form",
  [`mysql://me:${SECRET}@h/db`]: "not of the form",
  [`https://me:${SECRET}@h/db`]: "not of the form",
  [`host=h user=me password=${SECRET} dbname=db`]: "not of the form",
  [`host='h' password='${SECRET}'`]: "not of the form",
  [`Server=h;User Id=me;Password=${SECRET};Database=db`]: "not of the form",
  [`sqlite://me:${SECRET}@h/db`]: "like a server with a login",
  [`sqlite://postgres://me:${SECRET}@h/db`]: "like a server with a login",
  [`sqlite:me:${SECRET}@h/db`]: "not of the form",
  // Hosts
  [`postgres://me:${SECRET}`]: "a port is not a number",
  [`postgres://me:${SECRET}/db`]: "a port is not a number",
  [`postgres://me:${SECRET},h/db`]: "a port is not a number",
  [`postgres://x:${SECRET}@h:99999/db`]: "a port is not a number",
  [`postgres://x:${SECRET}@h:5432:1/db`]: "a host cannot be parsed",
  [`postgres://x:${SECRET}@::1/db`]: "a host cannot be parsed",
  [`postgres://x:${SECRET}@[${SECRET}]/db`]: "no IPv6 address in the brackets",
  [`postgres://x:${SECRET}@a,,b/db`]: "a host is neither",
  [`postgres://${SECRET}!/db`]: "a host is neither",
  [`postgres://a,b/db?port=1,2,3&password=${SECRET}`]: "not as many ports as hosts",
  // Parameters
  [`postgres://h/db?pass=${SECRET}`]: "parameter 1 is not known",
  [`postgres://h/db?PASSWORD=${SECRET}`]: "parameter 1 is not known",
  [`postgres://h/db?user=me&pwd=${SECRET}`]: "parameter 2 is not known",
  [`postgres://h/db?${SECRET}=1`]: "parameter 1 is not known",
  [`postgres://h/db?${SECRET}`]: 'parameter 1 has no "="',
  [`postgres://h/db?password=${SECRET}@x`]: 'the parameters contain "@"',
  [`postgres://h/db?password=${SECRET}&password=x`]: "parameter password is given twice",
  [`postgres://h/db?password=${SECRET}%`]: 'parameter password has a "%"',
  [`postgres://h/db?password=${SECRET}#x`]: "not a Postgres URL",
  [`postgres://h/db?sslmode=${SECRET}`]: "parameter sslmode must be one of disable, allow",
  [`postgres://h/db?target_session_attrs=${SECRET}`]: "parameter target_session_attrs must be one of any",
  [`postgres://h/db?connect_timeout=${SECRET}`]: "parameter connect_timeout is not a number",
  [`postgres://h/db?passfile=/home/${SECRET}`]: "parameter passfile is not supported: give the password in the URL",
  [`postgres://h/db?service=${SECRET}`]: "parameter service is not supported",
  [`postgres://h/db?password=${SECRET}&channel_binding=require`]: "parameter channel_binding is not supported",
  [`postgres://h/db?ssl=true&password=${SECRET}`]: "write sslmode=require",
  [`postgres://h/db?password=${SECRET}&sslcert=a&sslmode=require`]: "sslcert and sslkey need each other",
  [`postgres://h/db?password=${SECRET}&sslrootcert=a`]: "need sslmode require",
  [`postgres://h/db?sslmode=require&sslrootcert=system&password=${SECRET}`]: "needs sslmode=verify-full",
};

const silently = { logger: silent, workflows: [] };

for (const [url, reason] of Object.entries(REFUSED)) {
  test(`the URL ${JSON.stringify(url)} is rejected by every function, and quoted by none`, async () => {
    const attempts: (() => Promise<unknown>)[] = [
      () => createRunner(url, silently),
      () => createClient(url, silently),
      () => openPostgresStore(url),
      () => openSqliteStore(url),
      () => createTenant(url, { schema: "acme" }),
      () => listTenants(url),
      () => Promise.try(() => createPostgresPool(url)),
    ];
    const messages: string[] = [];
    for (const attempt of attempts) {
      const error = await assertRejects(attempt);
      assert(error instanceof Error && "code" in error && error.code === "invalid_url", String(error));
      messages.push(error.message);
      const all = [
        error.message,
        error.stack,
        String(error.cause),
        JSON.stringify(error),
        JSON.stringify({ ...error }),
      ];
      assertEquals(all.filter((text) => text?.includes(SECRET)), []);
    }
    assert(messages[0]!.includes(reason), messages[0]);
  });
}

test("no name of a store or pool, error, log line or inspector page shows a user or a password", async () => {
  const url = `postgres://me:${SECRET}@127.0.0.1:1/app?password=${SECRET}&sslpassword=${SECRET}&sslmode=require`;
  const name = "postgres://127.0.0.1:1/app";
  const lines: string[] = [];
  const log = (message: string, fields?: unknown): void => void lines.push(message, JSON.stringify(fields) ?? "");
  const logger = { debug: log, info: log, warn: log, error: log };
  const pool = createPostgresPool(url, { logger });
  assertEquals(pool.name, name);
  const error = await assertRejects(() => pool.store({ connectTimeoutMs: 1_000 }), Error, name);
  await pool.close();
  assert(lines.length > 0);
  assertEquals(
    [error.message, error.stack, ...lines].filter((text) => text?.includes(SECRET) || text?.includes("me:")),
    [],
  );
});

test("a URL that is not a string is rejected with one sentence", async () => {
  for (const url of [undefined, null, 7, {}, new URL("postgres://me:hunter2@h/db")] as unknown as string[]) {
    assertThrows(() => createPostgresPool(url), Error, "Cannot use the Postgres URL: it is of type");
    const error = await assertRejects(
      () => openPostgresStore(url),
      Error,
      "Cannot use the Postgres URL: it is of type",
    );
    assert(!error.message.includes(SECRET));
  }
});
