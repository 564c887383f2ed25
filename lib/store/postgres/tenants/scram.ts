const ITERATIONS = 4_096;

/**
 * Computes the verifier that Postgres stores for a password (RFC 5803). So the password is in no statement, and thus in
 * no log of the server, and needs no quoting.
 */
export async function scramVerifier(password: string, salt: Uint8Array<ArrayBuffer>): Promise<string> {
  // The part of SASLprep (RFC 4013) that changes typed text.
  const key = await importKey("PBKDF2", new TextEncoder().encode(password.normalize("NFKC")));
  const derivation = { name: "PBKDF2", hash: "SHA-256", salt, iterations: ITERATIONS };
  const salted = await importKey("HMAC", new Uint8Array(await crypto.subtle.deriveBits(derivation, key, 256)));
  const clientKey = await sign(salted, "Client Key");
  const storedKey = new Uint8Array(await crypto.subtle.digest("SHA-256", clientKey));
  const serverKey = await sign(salted, "Server Key");
  return `SCRAM-SHA-256$${ITERATIONS}:${base64(salt)}$${base64(storedKey)}:${base64(serverKey)}`;
}

async function importKey(name: "PBKDF2" | "HMAC", bytes: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  if (name === "PBKDF2") return await crypto.subtle.importKey("raw", bytes, name, false, ["deriveBits"]);
  return await crypto.subtle.importKey("raw", bytes, { name, hash: "SHA-256" }, false, ["sign"]);
}

async function sign(key: CryptoKey, text: string): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(text)));
}

function base64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}
