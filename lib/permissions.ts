/** A permission as Deno describes it. */
export interface Permission {
  /** The kind of permission, such as `"read"`. */
  readonly name: string;
  /** The path that it is for. */
  readonly path?: string;
  /** The piece of information that it is for. */
  readonly kind?: string;
}

/** Returns whether a permission is granted without a prompt; true on Bun and Node, which have no permissions. */
export function isAllowed(permission: Permission): boolean {
  const { Deno: deno } = globalThis as {
    Deno?: { permissions?: { querySync(permission: Permission): { readonly state: string } } };
  };
  return deno?.permissions === undefined || deno.permissions.querySync(permission).state === "granted";
}
