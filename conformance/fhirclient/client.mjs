// A small app on the public SMART client "fhirclient", without a framework.
// Usage: node client.mjs PORT CLIENT_ID FHIR_BASE
//   /launch    begins a launch: standalone, or an EHR launch with ?iss=&launch=
//   /app       is the redirect URI; answers with what the app could read
//   /page      is the same app in a browser, from the published bundle
// It prints "ready" when it listens. Storage is one map: one user at a time.
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { readFile } from "node:fs/promises";

const require = createRequire(import.meta.url);
const smart = require("fhirclient");
const bundle = require.resolve("fhirclient/build/fhir-client.pure.min.js");

const [port, clientId, iss] = process.argv.slice(2);
const origin = `http://127.0.0.1:${port}`;
const reads = "patient/Patient.rs patient/Observation.rs";

const memory = new Map();
const storage = {
  get: async (key) => memory.get(key),
  set: async (key, value) => (memory.set(key, value), value),
  unset: async (key) => memory.delete(key),
};

async function launch(request, response, query) {
  const ehr = query.has("launch");
  await smart(request, response, storage).authorize({
    clientId,
    scope: (ehr ? "launch " : "launch/patient offline_access ") + "openid fhirUser " + (ehr ? "online_access " : "") + reads,
    redirectUri: `${origin}/app`,
    pkceMode: "required",
    ...(ehr ? {} : { iss }),
  });
}

async function readBack(client) {
  const patient = await client.patient.read();
  const found = await client.request(`Observation?patient=${client.patient.id}&_count=5`);
  const before = client.state.tokenResponse.access_token;
  await client.refresh();
  const again = await client.request(`Patient/${client.patient.id}`);
  return {
    patient: patient.id,
    family: patient.name[0].family,
    observations: (found.entry ?? []).map((e) => e.resource.subject.reference),
    fhirUser: client.user.fhirUser,
    scope: client.state.tokenResponse.scope,
    refreshed: client.state.tokenResponse.access_token !== before,
    again: again.id,
  };
}

function send(response, status, type, body) {
  response.writeHead(status, { "content-type": type, "cache-control": "no-store" });
  response.end(body);
}

const page = `<!doctype html><meta charset="utf-8"><title>app</title><p id="out">working</p>
<script src="/bundle.js"></script><script>
const readBack = ${readBack.toString()};
const show = (v) => { const out = document.getElementById("out"); out.textContent = JSON.stringify(v); out.className = "done"; };
const begun = new URLSearchParams(location.search);
if (begun.has("code") || begun.has("error")) {
  FHIR.oauth2.ready().then(readBack).then(show, (e) => show({ error: String(e) }));
} else {
  FHIR.oauth2.authorize({ iss: ${JSON.stringify(iss)}, clientId: ${JSON.stringify(clientId)}, redirectUri: "${origin}/page",
    scope: "launch/patient offline_access openid fhirUser ${reads}", pkceMode: "required" });
}
</script>`;

async function serve(request, response) {
  const url = new URL(request.url, origin);
  try {
    switch (url.pathname) {
      case "/launch":
        return await launch(request, response, url.searchParams);
      case "/app": {
        const client = await smart(request, response, storage).ready();
        return send(response, 200, "application/json", JSON.stringify(await readBack(client)));
      }
      case "/page":
        return send(response, 200, "text/html", page);
      case "/bundle.js":
        return send(response, 200, "text/javascript", await readFile(bundle));
      default:
        return send(response, 404, "text/plain", "not here");
    }
  } catch (e) {
    send(response, 500, "application/json", JSON.stringify({ error: String(e) }));
  }
}

createServer(serve).listen(Number(port), "127.0.0.1", () => console.log("ready"));
