// What both programs share: they tell a story a line, as JSON, and ask whoever
// started them to be the person with the browser.
//   {"visit": URL}                 asks; the answer is one line, where the browser came back to
//   {"story": NAME, "error": TEXT} tells how a story ended; no error means well
import { createInterface } from "node:readline";
import { readFile } from "node:fs/promises";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

export async function visit(url) {
  console.log(JSON.stringify({ visit: String(url) }));
  const { value, done } = await lines.next();
  if (done) throw new Error("nobody follows the redirect");
  return new URL(value);
}

export function same(got, want, what) {
  if (got !== want) throw new Error(`${what} is ${JSON.stringify(got)}, not ${JSON.stringify(want)}`);
}

export function holds(condition, what) {
  if (!condition) throw new Error(what);
}

// refused expects an OAuth error of that name.
export async function refused(promise, name) {
  const end = await promise.then(() => ({ error: "no error" }), (e) => e);
  same(end.error, name, "the refusal");
}

export async function key(jwk, use = "sign") {
  return crypto.subtle.importKey("jwk", jwk, { name: "ECDSA", namedCurve: jwk.crv }, false, [use]);
}

function told(e) {
  const cause = e.cause instanceof Error ? e.cause.message : JSON.stringify(e.cause);
  return [e, e.error, e.error_description, cause].filter(Boolean).join(" | ");
}

export async function tell(stories) {
  const setup = JSON.parse(await readFile(process.argv[2], "utf8"));
  for (const [story, run] of Object.entries(stories)) {
    const error = await run(setup).then(() => "", told);
    console.log(JSON.stringify({ story, error }));
  }
  process.exit(0);
}
