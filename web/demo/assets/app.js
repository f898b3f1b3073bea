// Heart Diary: the demonstration app. Tokens and health data live in variables
// of this module only and end with the page. The browser's storage holds the
// state and the code verifier during the redirect, nothing else.
const byId = (id) => document.getElementById(id);
const main = byId("main");
const { fhirBase, clientId, callback, ehrScope } = main.dataset;

let connection = null; // {tokens, asked, smart, expires}
let smart = null;

// kinds are what the app tries to read once it is connected.
const kinds = JSON.parse(main.dataset.kinds);

// words are what people call the kinds of data.
const words = {
  Patient: "About the person", Condition: "Conditions", MedicationRequest: "Medicines", MedicationDispense: "Medicines handed out",
  AllergyIntolerance: "Allergies", Observation: "Measurements and test results", DiagnosticReport: "Reports", Immunization: "Vaccinations",
  Procedure: "Procedures", DocumentReference: "Documents", Encounter: "Visits", Appointment: "Appointments", CarePlan: "Care plans",
  CareTeam: "Care team", Goal: "Goals", ServiceRequest: "Orders", Device: "Devices", QuestionnaireResponse: "Answers to questionnaires",
  Communication: "Messages", Coverage: "Insurance", RelatedPerson: "Family and friends", Consent: "Permissions given",
};

const text = (concept) => concept?.text ?? concept?.coding?.[0]?.display ?? concept?.coding?.[0]?.code;

function name(resource) {
  const n = Array.isArray(resource.name) ? resource.name[0] : resource.name;
  if (typeof n === "string") return n;
  return n?.text ?? [...(n?.prefix ?? []), ...(n?.given ?? []), n?.family].filter(Boolean).join(" ");
}

function title(r) {
  const first = (...concepts) => concepts.flat().map(text).find(Boolean);
  return name(r) || r.title || (r.description?.text ?? r.description) || r.payload?.[0]?.contentString || first(r.code, r.medicationCodeableConcept, r.vaccineCode) ||
    r.medicationReference?.display || r.medicationReference?.reference || r.questionnaire?.split("/").pop() || first(r.type, r.category, r.relationship) || r.id;
}

function date(r) {
  const d = r.birthDate ?? r.effectiveDateTime ?? r.authoredOn ?? r.occurrenceDateTime ?? r.performedDateTime ?? r.recordedDate ??
    r.whenHandedOver ?? r.start ?? r.sent ?? r.authored ?? r.period?.start ?? r.performedPeriod?.start ?? r.date ?? r.dateTime ?? r.startDate;
  if (!d) return "";
  const [year, month = "01", day = "01"] = d.slice(0, 10).split("-");
  return new Date(Date.UTC(year, month - 1, day)).toLocaleDateString("en-GB", { timeZone: "UTC", day: "numeric", month: "long", year: "numeric" });
}

// label gives a resource's title, value and date, as far as it has them.
function label(r) {
  const value = r.valueQuantity ? `${r.valueQuantity.value} ${r.valueQuantity.unit ?? r.valueQuantity.code ?? ""}`.trim() : text(r.valueCodeableConcept) ?? r.valueString;
  return [title(r), value, date(r)].filter(Boolean).join(", ");
}

// Trouble is what people are told: a code, and what the server said about it.
class Trouble extends Error {
  constructor(code, said = "") {
    super(said || code);
    this.code = code;
    this.said = said;
  }
}

function say(text) {
  byId("status").textContent = text;
}

function stage(name) {
  main.dataset.stage = name;
  byId("start").hidden = name === "working" || name === "connected";
  byId("record").hidden = name !== "connected";
}

function fill(list, texts, attribute) {
  list.replaceChildren(...texts.map((text) => {
    const item = document.createElement("li");
    item.textContent = text;
    if (attribute) item.setAttribute(attribute, text);
    return item;
  }));
}

// ask sends one request and writes method, path and status into the log.
async function ask(method, url, options = {}) {
  const line = document.createElement("li");
  const path = new URL(url).pathname;
  let answer;
  try {
    answer = await fetch(url, { method, credentials: "omit", cache: "no-store", redirect: "error", ...options });
  } catch {
    line.textContent = `${method} ${path}: no answer`;
    line.dataset.status = "0";
    byId("log").append(line);
    throw new Trouble("no_answer", `${path} did not answer, or did not let this page read the answer.`);
  }
  line.textContent = `${method} ${path}: ${answer.status}`;
  line.dataset.status = String(answer.status);
  byId("log").append(line);
  const text = await answer.text();
  let body = null;
  try {
    body = text ? JSON.parse(text) : null;
  } catch {
    body = null;
  }
  return { status: answer.status, ok: answer.ok, body };
}

function post(url, values) {
  return ask("POST", url, { body: new URLSearchParams(values) });
}

async function discover() {
  if (smart) return smart;
  const answer = await ask("GET", `${fhirBase}/.well-known/smart-configuration`);
  if (!answer.ok || !answer.body) throw new Trouble("no_configuration");
  smart = answer.body;
  return smart;
}

const encode = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const decode = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const random = () => encode(crypto.getRandomValues(new Uint8Array(32)));
const digest = async (text) => encode(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));

// connect leaves for the authorization endpoint. The state carries the asked
// scopes, so that they need no place in the browser's storage; the nonce is
// derived from the verifier for the same reason.
async function connect(scope, launch) {
  stage("working");
  say("Going to the health record's own page. You sign in there, not here.");
  if (!globalThis.crypto?.subtle) throw new Trouble("not_secure");
  const server = await discover();
  const verifier = random();
  const state = `${random()}.${encode(new TextEncoder().encode(scope))}`;
  sessionStorage.setItem("state", state);
  sessionStorage.setItem("code_verifier", verifier);
  const query = new URLSearchParams({
    response_type: "code", client_id: clientId, redirect_uri: callback, scope, state, aud: fhirBase,
    code_challenge: await digest(verifier), code_challenge_method: "S256", nonce: await digest(`nonce ${verifier}`),
  });
  if (launch) query.set("launch", launch);
  location.assign(`${server.authorization_endpoint}?${query}`);
}

// finish answers the redirect back: checks it, then exchanges the code.
async function finish(query) {
  const state = sessionStorage.getItem("state");
  const verifier = sessionStorage.getItem("code_verifier");
  sessionStorage.removeItem("state");
  sessionStorage.removeItem("code_verifier");
  history.replaceState(null, "", "/app/");
  // An error changes nothing here, so it is shown whatever its state says.
  if (query.has("error")) throw new Trouble(query.get("error"), query.get("error_description") ?? "");
  if (!state || query.get("state") !== state) throw new Trouble("state_mismatch");
  stage("working");
  say("Fetching access…");
  const server = await discover();
  if (query.has("iss") && query.get("iss") !== server.issuer) throw new Trouble("issuer_mismatch");
  const answer = await post(server.token_endpoint, {
    grant_type: "authorization_code", code: query.get("code") ?? "", redirect_uri: callback, client_id: clientId, code_verifier: verifier,
  });
  if (!answer.ok) throw new Trouble(answer.body?.error ?? "no_token", answer.body?.error_description);
  const asked = new TextDecoder().decode(decode(state.split(".")[1])).split(" ");
  connection = { asked, expires: 0, tokens: {} };
  keep(answer.body);
  let claims = null;
  try {
    if (answer.body.id_token) claims = await identify(answer.body.id_token, await digest(`nonce ${verifier}`));
  } catch (trouble) {
    connection = null;
    throw trouble;
  }
  stage("connected");
  byId("connected").focus();
  const [, ended] = await Promise.all([showUser(claims), read()]);
  say(ended || "Connected.");
}

function keep(tokens) {
  connection.tokens = { ...connection.tokens, ...tokens };
  connection.expires = Date.now() + (tokens.expires_in ?? 0) * 1000;
  const granted = (tokens.scope ?? "").split(" ").filter(Boolean);
  const missing = connection.asked.filter((s) => !granted.includes(s));
  fill(byId("granted"), granted, "data-scope");
  fill(byId("not-granted"), missing, "data-scope");
  byId("not-granted-note").textContent = missing.length === 0
    ? "Nothing: all that was asked is in the answer."
    : "These words are not in the answer. A wide one may have come back as a list of narrower ones above.";
  showExpiry();
  const context = ["patient", "encounter", "need_patient_banner", "smart_style_url", "intent", "fhirContext", "tenant"];
  byId("context").replaceChildren(...context.filter((k) => connection.tokens[k] !== undefined).flatMap((k) => {
    const term = document.createElement("dt");
    const value = document.createElement("dd");
    term.textContent = k;
    value.textContent = typeof connection.tokens[k] === "string" ? connection.tokens[k] : JSON.stringify(connection.tokens[k]);
    value.dataset.context = k;
    return [term, value];
  }));
  byId("send").hidden = !granted.some((s) => /^(patient|user)\/(Communication|\*)\.(c|write|\*)/.test(s));
}

function showExpiry() {
  const at = new Date(connection.expires);
  byId("expires").textContent = `${at.toLocaleTimeString()}${connection.tokens.refresh_token ? ", can be renewed" : ", cannot be renewed"}`;
  byId("expires").dataset.at = at.toISOString();
}

// identify checks the id_token as OpenID Connect Core §3.1.3.7 asks.
async function identify(token, nonce) {
  const parts = token.split(".");
  const json = (text) => JSON.parse(new TextDecoder().decode(decode(text)));
  const header = json(parts[0]);
  const claims = json(parts[1]);
  const answer = await ask("GET", smart.jwks_uri);
  const jwk = answer.body?.keys?.find((k) => k.kid === header.kid && k.kty === "RSA");
  if (header.alg !== "RS256" || !jwk) throw new Trouble("identity");
  const algorithm = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("jwk", { kty: jwk.kty, n: jwk.n, e: jwk.e }, algorithm, false, ["verify"]);
  const signed = new TextEncoder().encode(`${parts[0]}.${parts[1]}`);
  const genuine = await crypto.subtle.verify(algorithm, key, decode(parts[2]), signed);
  const audience = [].concat(claims.aud);
  if (!genuine || claims.iss !== smart.issuer || !audience.includes(clientId) || claims.nonce !== nonce) throw new Trouble("identity");
  return claims;
}

function fhir(path, method = "GET", resource = undefined) {
  const headers = { Authorization: `Bearer ${connection.tokens.access_token}`, Accept: "application/fhir+json" };
  if (resource) headers["Content-Type"] = "application/fhir+json";
  return ask(method, `${fhirBase}/${path}`, { headers, body: resource ? JSON.stringify(resource) : undefined });
}

async function showUser(claims) {
  const reference = claims?.fhirUser?.replace(`${fhirBase}/`, "");
  byId("user").dataset.reference = reference ?? "";
  byId("user").textContent = reference ?? "The server did not say";
  if (!reference) return;
  const answer = await fhir(reference).catch(() => null);
  if (answer?.ok) byId("user").textContent = label(answer.body);
}

// read fetches each kind, three at a time, shows what came and what was
// refused, and gives the line for the status.
async function read() {
  byId("data").replaceChildren(...kinds.map((k) => place("section", `slot-${k}`)));
  byId("refused").replaceChildren(...kinds.map((k) => place("li", `refused-${k}`)));
  const waiting = [...kinds];
  const statuses = [];
  const worker = async () => {
    for (let kind = waiting.shift(); kind; kind = waiting.shift()) statuses.push(await readKind(kind));
  };
  await Promise.all([worker(), worker(), worker()]);
  for (const list of [byId("data"), byId("refused")]) for (const child of [...list.children]) if (!child.hasChildNodes()) child.remove();
  byId("refused-note").hidden = byId("refused").children.length > 0;
  byId("data-note").hidden = byId("data").children.length > 0;
  if (!statuses.every((s) => s === 401)) return "";
  byId("expires").textContent = "It has ended";
  return "Access has ended. Press “Ask again” to connect once more.";
}

function place(tag, id) {
  const node = document.createElement(tag);
  node.id = id;
  return node;
}

async function readKind(kind) {
  const patient = connection.tokens.patient;
  const path = kind === "Patient" && patient ? `Patient/${patient}` : `${kind}?${patient ? `patient=${patient}&` : ""}_count=5&_total=accurate`;
  const answer = await fhir(path).catch((trouble) => ({ ok: false, status: 0, body: null, said: trouble.message }));
  if (kind === "Patient") byId("patient-name").textContent = answer.ok ? label(answer.body) : (patient ?? "No patient in the answer");
  if (!answer.ok) {
    byId(`refused-${kind}`).dataset.status = String(answer.status);
    byId(`refused-${kind}`).textContent = `${words[kind] ?? kind}: ${reason(answer)}`;
    return answer.status;
  }
  showKind(kind, answer.body);
  return answer.status;
}

// reason puts an OperationOutcome into words.
function reason(answer) {
  const issue = answer.body?.issue?.[0];
  const said = [issue?.details?.text, issue?.diagnostics].filter(Boolean).join(". ") || answer.said || "no reason given";
  const what = { 0: "no answer", 401: "access has ended", 403: "not allowed", 404: "not found" }[answer.status] ?? "refused";
  return `${what} (${answer.status}): ${said}`;
}

function showKind(kind, body) {
  const entries = body.resourceType === "Bundle" ? (body.entry ?? []).map((e) => e.resource).filter((r) => r?.resourceType === kind) : [body];
  const more = body.link?.some((l) => l.relation === "next");
  const count = body.total ?? entries.length;
  const section = byId(`slot-${kind}`);
  section.id = `data-${kind}`;
  section.dataset.count = String(count);
  const heading = document.createElement("h3");
  heading.textContent = `${words[kind] ?? kind}: ${count}${body.total === undefined && more ? " or more" : ""}`;
  const list = document.createElement("ul");
  fill(list, entries.map(label));
  section.append(heading, list);
}

async function refresh() {
  if (!connection.tokens.refresh_token) {
    say("Refresh was not possible: access while you are away was not allowed, so there is nothing to refresh with.");
    return;
  }
  const answer = await post(smart.token_endpoint, { grant_type: "refresh_token", refresh_token: connection.tokens.refresh_token, client_id: clientId });
  if (!answer.ok) {
    say(`Refresh was refused: ${answer.body?.error ?? answer.status}. ${answer.body?.error_description ?? ""}`);
    return;
  }
  keep(answer.body);
  say(`Access was refreshed. It now ends at ${byId("expires").textContent}.`);
}

async function disconnect() {
  const token = connection.tokens.refresh_token ?? connection.tokens.access_token;
  const answer = await post(smart.revocation_endpoint, { token, client_id: clientId });
  if (!answer.ok) throw new Trouble(answer.body?.error ?? "not_revoked", answer.body?.error_description);
  connection = null;
  for (const id of ["data", "refused", "granted", "not-granted", "context"]) byId(id).replaceChildren();
  for (const id of ["user", "patient-name", "expires"]) byId(id).textContent = "";
  stage("ended");
  say("Disconnected. Heart Diary has forgotten what it read, and its access has ended.");
}

async function send() {
  const { patient } = connection.tokens;
  const answer = await fhir("Communication", "POST", {
    resourceType: "Communication", status: "completed", subject: { reference: `Patient/${patient}` }, sent: new Date().toISOString(),
    payload: [{ contentString: "A message sent from Heart Diary." }],
  });
  say(answer.ok ? "The message was sent." : `The message was not sent: ${reason(answer)}`);
}

// fail shows what happened and what to do.
function fail(trouble) {
  const code = trouble instanceof Trouble ? trouble.code : "app_fault";
  // OAuth has no error of its own for a launch that cannot be used any more.
  const used = code === "invalid_request" && /^The launch value/.test(trouble.said ?? "");
  const row = document.querySelector(`#reasons [data-code="${CSS.escape(used ? "launch_used" : code)}"]`) ?? document.querySelector('#reasons [data-code="other"]');
  byId("error-what").textContent = row.querySelector("dt").textContent;
  byId("error-do").textContent = row.querySelector("dd").textContent;
  byId("error-code").textContent = code;
  byId("error-said").textContent = trouble.said || trouble.message || "";
  byId("error").hidden = false;
  stage(connection ? "connected" : "failed");
  say("");
  byId("error").focus();
}

// on ties a button to an act whose failure is shown.
function on(id, act) {
  byId(id).addEventListener("click", async (event) => {
    event.preventDefault();
    byId("error").hidden = true;
    await act().catch(fail);
  });
}

on("connect", () => connect(byId("own-scopes").value.trim() || document.querySelector('[name="preset"]:checked').value));
on("refresh", refresh);
on("reload", async () => {
  say("Reading again…");
  say((await read()) || "Read again.");
});
on("again", () => connect(connection.asked.map((s) => (s === "launch" ? "launch/patient" : s)).join(" ")));
on("disconnect", disconnect);
on("send", send);

async function begin() {
  const query = new URLSearchParams(location.search);
  if (location.pathname === "/app/callback") return finish(query);
  if (location.pathname === "/app/launch") {
    if (query.get("iss")?.replace(/\/$/, "") !== fhirBase) throw new Trouble("launch_elsewhere");
    if (!query.get("launch")) throw new Trouble("launch_missing");
    return connect(ehrScope, query.get("launch"));
  }
  return stage("start");
}

begin().catch(fail);
