import type { ErrorRecord } from "../../errors.ts";
import type { Payload } from "../run_shape.ts";
import { type Html, markup } from "./html.ts";
import { counted, grouped } from "./labels.ts";

/** A payload: formatted if it is complete, otherwise its beginning with a link to all of it. */
export function payloadView({ text, bytes, isTruncated, href }: Payload, label: string): Html {
  const shown = isTruncated ? text : readable(text);
  if (!isTruncated && shown.length <= MOST_INLINE && !shown.includes("\n")) {
    return markup`
<p class="json"><code>${shown}</code> <a class="small" href="${href}"><span class="visually-hidden">${label} </span>as JSON</a></p>`;
  }
  return markup`
<pre class="json" tabindex="0" role="group" aria-label="${label}">${shown}</pre>
<p class="note"><a href="${href}">${label} as JSON</a>, ${size(bytes)}${isTruncated && "; truncated"}</p>`;
}

/** An error with its fields, causes and inner errors, and the stack. */
export function errorView(error: ErrorRecord): Html {
  const { name, message, code, stack, fields, cause, errors = [] } = error;
  return markup`
<div class="error">
<p><strong>${clip(name, 200)}</strong>${code !== undefined && markup` <code>${clip(code, 200)}</code>`}: ${
    clip(message)
  }</p>
${fields !== undefined && markup`<p class="small"><code>${clip(JSON.stringify(fields), 1_000)}</code></p>`}
${
    stack !== undefined && markup`
<details>
<summary>Stack</summary>
<pre tabindex="0" role="group" aria-label="Stack of ${name}">${clip(stack)}</pre>
</details>
`
  }
${cause !== undefined && markup`<div class="cause"><p class="note">caused by</p>${errorView(cause)}</div>`}
${
    errors.length > 0 && markup`
<div class="cause"><p class="note">with ${counted(errors.length, "inner error")}</p>${errors.map(errorView)}</div>
`
  }
</div>
`;
}

/** Text of any length, truncated if it is too long for a page. */
export function clip(text: string, most: number = MOST_TEXT): Html {
  if (text.length <= most) return markup`${text}`;
  const left = grouped(text.length - most);
  return markup`${text.slice(0, most).toWellFormed()}… <span class="note">(${left} characters more)</span>`;
}

const MOST_TEXT = 4_000;
const MOST_INLINE = 80;

function size(bytes: number): string {
  if (bytes < 10_000) return `${grouped(bytes)} bytes`;
  return bytes < 1_000_000 ? `${Math.round(bytes / 1_000)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}

/**
 * JSON text with line breaks and indentation; unchanged if it cannot be parsed, or if the indentation of deep nesting
 * would make it several times as long.
 */
function readable(text: string): string {
  try {
    return indented(JSON.parse(text), "", MOST_GROWTH * text.length + MOST_INLINE) ?? text;
  } catch {
    return text;
  }
}

/** `undefined` if it would have more characters than `most`. */
function indented(value: unknown, indent: string, most: number): string | undefined {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const deeper = `${indent}  `;
  const isList = Array.isArray(value);
  const lines: string[] = [];
  let left = most;
  for (const [name, member] of Object.entries(value)) {
    const text = indented(member, deeper, left);
    if (text === undefined) return undefined;
    const line = isList ? `${deeper}${text}` : `${deeper}${JSON.stringify(name)}: ${text}`;
    left -= line.length;
    if (left < 0) return undefined;
    lines.push(line);
  }
  const [open, close] = isList ? ["[", "]"] : ["{", "}"];
  return lines.length === 0 ? `${open}${close}` : `${open}\n${lines.join(",\n")}\n${indent}${close}`;
}

const MOST_GROWTH = 4;
