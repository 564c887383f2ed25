/**
 * Parses Postgres URLs. Neither the driver nor the runtime's `URL` is used: both mistake a password that is not
 * percent-encoded for another part, which then appears in a message. So a text that cannot be parsed is never quoted,
 * not even in part, and the name of a database in messages contains scheme, hosts, ports and database.
 *
 * @module
 */
import { isIPv4, isIPv6 } from "node:net";
import type { Password } from "../../url.ts";
import { type ConnectionParameters, readParameters } from "./url_parameters.ts";
import { decode, invalidUrl as refused } from "./url_text.ts";

/** A server to connect to. */
export interface Host {
  /** A host name, an IP address without brackets, or the directory of a Unix socket, which begins with "/". */
  readonly host: string;
  /** The TCP port, or the number in the name of the socket; `undefined` for `PGPORT` or 5432. */
  readonly port: number | undefined;
}

/** A parsed Postgres URL. The driver sets values that are `undefined`, from `PGHOST`, `PGUSER` and others. */
export interface PostgresAddress extends ConnectionParameters {
  /** Scheme, hosts, ports and database, for messages. Never user, password or parameters. */
  readonly name: string;
  /** The servers to try in turn. */
  readonly hosts: readonly Host[] | undefined;
  /** The database. */
  readonly database: string | undefined;
  /** The role that logs in. */
  readonly user: string | undefined;
  /** Its password, or a function that returns the current one before each connection. */
  readonly password: Password | undefined;
}

/**
 * Reads a URL of libpq's form: `postgres://[user[:password]@][host[:port],…][/database][?parameter=value&…]`. Hosts are
 * names, IPv4 addresses, IPv6 addresses in brackets, or the percent-encoded directory of a Unix socket.
 *
 * @throws {StoreError} `invalid_url`, if it cannot be read; the message quotes nothing of it but names of parameters
 * that libpq has.
 */
export function parsePostgresUrl(text: unknown): PostgresAddress {
  const { scheme, login, servers, path, query } = split(text);
  const { user, password } = readLogin(login);
  const { ports, ...given } = readParameters(query);
  const hosts = hostsOf(servers, given.hosts, ports);
  const database = given.database ?? (path === "" ? undefined : decode(path, "the database"));
  return {
    ...given,
    name: nameOf(scheme, hosts, database),
    hosts,
    database,
    user: given.user ?? user,
    password: given.password ?? password,
    // As in libpq: a socket in the file system is never encrypted.
    tls: hosts?.every(isSocket) ? undefined : given.tls,
  };
}

/** Whether a server is reached by a socket in the file system. */
export function isSocket({ host }: Host): boolean {
  return host.startsWith("/");
}

/** The parts of a URL, still encoded. */
interface Parts {
  readonly scheme: string;
  readonly login: string | undefined;
  readonly servers: string;
  readonly path: string;
  readonly query: string;
}

/** Splits a URL; throws unless the parts are unambiguous. */
function split(text: unknown): Parts {
  if (typeof text !== "string") throw refused(`it is of type ${typeof text}`);
  // deno-lint-ignore no-control-regex -- control characters are what it looks for
  if (/[\u0000-\u0020\u007f\u0085\u00a0\u2028\u2029\ufeff]/.test(text)) {
    throw refused("it has blanks, line breaks or control characters");
  }
  const parts = /^(postgres(?:ql)?):\/\/([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/i.exec(text);
  if (parts === null) throw refused("it is not a Postgres URL");
  const [, scheme = "", authority = "", path = "", query = ""] = parts;
  const at = authority.lastIndexOf("@");
  if (at !== authority.indexOf("@")) throw refused('it has more than one "@"');
  // The rest of a login whose password contains a "/" or a "?".
  if (/[/@:]/.test(path)) throw refused('the name of the database contains "@", ":" or "/"');
  if (query.includes("@")) throw refused('the parameters contain "@"');
  return {
    scheme: scheme.toLowerCase(),
    login: at < 0 ? undefined : authority.slice(0, at),
    servers: authority.slice(at + 1),
    path,
    query,
  };
}

function readLogin(login: string | undefined): { user: string | undefined; password: string | undefined } {
  if (login === undefined) return { user: undefined, password: undefined };
  const [user = "", password, ...more] = login.split(":");
  if (more.length > 0) throw refused('there is more than one ":" before the "@"');
  return {
    user: user === "" ? undefined : decode(user, "the user"),
    password: password === undefined || password === "" ? undefined : decode(password, "the password"),
  };
}

/** The parameters `host` and `port` take precedence, as in libpq. */
function hostsOf(
  servers: string,
  hosts: readonly string[] | undefined,
  ports: readonly string[] | undefined,
): readonly Host[] | undefined {
  if (servers === "" && hosts === undefined && ports === undefined) return undefined;
  const all = hosts?.map((host) => ({ host: checkHost(host), port: undefined })) ??
    (servers === "" ? [{ host: "localhost", port: undefined }] : servers.split(",").map(readHost));
  if (ports !== undefined && ports.length !== 1 && ports.length !== all.length) {
    throw refused("there are not as many ports as hosts");
  }
  return all.map(({ host, port }, at) => {
    const other = ports?.[ports.length === 1 ? 0 : at];
    return { host, port: other === undefined ? port : readPort(other) };
  });
}

function readHost(text: string): { readonly host: string; readonly port: number | undefined } {
  const parts = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::([^:]*))?$/.exec(text);
  if (parts === null) throw refused("a host cannot be parsed; write an IPv6 address in brackets");
  const [, address, name = "", port] = parts;
  const host = decode(address ?? name, "a host");
  if (address === undefined) checkHost(host);
  else if (!isIPv6(host)) throw refused("there is no IPv6 address in the brackets");
  return { host, port: port === undefined || port === "" ? undefined : readPort(port) };
}

function checkHost(host: string): string {
  if (host.startsWith("/")) return host;
  if (isIPv4(host) || isIPv6(host) || /^[\p{L}\p{N}_]([\p{L}\p{N}_.-]{0,251}[\p{L}\p{N}_.])?$/u.test(host)) return host;
  throw refused("a host is neither a name, nor an address, nor the directory of a socket");
}

function readPort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port >= 1 && port <= 65_535) return port;
  throw refused("a port is not a number from 1 to 65535");
}

function nameOf(scheme: string, hosts: readonly Host[] | undefined, database: string | undefined): string {
  const servers = (hosts ?? []).map((one) => {
    const host = isIPv6(one.host) ? `[${one.host}]` : isSocket(one) ? encodeURIComponent(one.host) : one.host;
    return one.port === undefined ? host : `${host}:${one.port}`;
  });
  return `${scheme}://${servers.join(",")}${database === undefined ? "" : `/${encodeURIComponent(database)}`}`;
}
