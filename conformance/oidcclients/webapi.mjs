// The stories of oauth4webapi. Usage: node webapi.mjs SETUP.json
import * as oauth from "oauth4webapi";
import { holds, key, refused, same, tell, visit } from "./stories.mjs";

const scope = "openid fhirUser launch/patient offline_access patient/Patient.rs patient/Observation.rs";

async function discover(s, algorithm = "oidc") {
  const issuer = new URL(s.issuer);
  return oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm }));
}

// signIn walks the code flow; who is the client with its authentication.
async function signIn(s, as, who) {
  const { client, auth, DPoP, pushed } = who;
  const verifier = oauth.generateRandomCodeVerifier();
  const [state, nonce] = [oauth.generateRandomState(), oauth.generateRandomNonce()];
  const asked = new URLSearchParams({
    client_id: client.client_id, response_type: "code", redirect_uri: s.redirect, scope, state, nonce, aud: s.fhir,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256",
  });
  const at = new URL(as.authorization_endpoint);
  at.search = asked;
  if (pushed) {
    const answer = await oauth.pushedAuthorizationRequest(as, client, auth, asked, { DPoP });
    const { request_uri } = await oauth.processPushedAuthorizationResponse(as, client, answer);
    at.search = new URLSearchParams({ client_id: client.client_id, request_uri });
  }
  const back = oauth.validateAuthResponse(as, client, await visit(at), state);
  const res = await oauth.authorizationCodeGrantRequest(as, client, auth, back, s.redirect, verifier, { DPoP });
  const tokens = await oauth.processAuthorizationCodeResponse(as, client, res, { expectedNonce: nonce, requireIdToken: true });
  await oauth.validateApplicationLevelSignature(as, res);
  const claims = oauth.getValidatedIdTokenClaims(tokens);
  holds(claims.sub && claims.fhirUser.endsWith("Patient/rosa"), `fhirUser is ${claims.fhirUser}`);
  same(tokens.patient, "rosa", "the patient");
  return tokens;
}

async function read(s, token, DPoP) {
  const res = await oauth.protectedResourceRequest(token, "GET", new URL(`${s.fhir}/Patient/rosa`), undefined, undefined, { DPoP });
  same((await res.json()).id, "rosa", "the Patient's id");
}

async function refresh(as, { client, auth, DPoP }, token) {
  return oauth.processRefreshTokenResponse(as, client, await oauth.refreshTokenGrantRequest(as, client, auth, token, { DPoP }));
}

async function introspect(as, { client, auth }, token) {
  return oauth.processIntrospectionResponse(as, client, await oauth.introspectionRequest(as, client, auth, token));
}

// whole is a visit from the sign-in to the revocation.
async function whole(s, who) {
  const as = await discover(s);
  const tokens = await signIn(s, as, who);
  await read(s, tokens.access_token, who.DPoP);
  const next = await refresh(as, who, tokens.refresh_token);
  await read(s, next.access_token, who.DPoP);
  if (who.introspects) {
    const seen = await introspect(as, who, next.access_token);
    holds(seen.active && seen.patient === "rosa" && seen.client_id === who.client.client_id, JSON.stringify(seen));
  }
  await oauth.processRevocationResponse(await oauth.revocationRequest(as, who.client, who.auth, next.refresh_token));
  await refused(refresh(as, who, next.refresh_token), "invalid_grant");
  if (who.introspects) same((await introspect(as, who, next.access_token)).active, false, "active after the revocation");
}

const keyAuth = async (s, name) => oauth.PrivateKeyJwt({ key: await key(s.keys[name]), kid: s.keys[name].kid });
const bound = async (client) => oauth.DPoP(client, await oauth.generateKeyPair("ES256"));

async function backend(s, client_id, DPoP) {
  const client = { client_id };
  const as = await discover(s);
  const ask = async (scope) =>
    oauth.processClientCredentialsResponse(as, client, await oauth.clientCredentialsGrantRequest(as, client, await keyAuth(s, client_id), { scope }, { DPoP }));
  // The first answer to a client that needs a nonce is the nonce.
  const tokens = await ask("system/Patient.rs").catch((e) => (oauth.isDPoPNonceError(e) ? ask("system/Patient.rs") : Promise.reject(e)));
  await read(s, tokens.access_token, DPoP).catch((e) => (oauth.isDPoPNonceError(e) ? read(s, tokens.access_token, DPoP) : Promise.reject(e)));
  await refused(ask("patient/Patient.rs"), "invalid_scope");
}

await tell({
  "discovery": async (s) => same((await discover(s, "oauth2")).token_endpoint, (await discover(s)).token_endpoint, "the token endpoint of RFC 8414"),
  "the metadata of the FHIR server": async (s) => {
    const at = new URL(s.fhir);
    const resource = await oauth.processResourceDiscoveryResponse(at, await oauth.resourceDiscoveryRequest(at));
    holds(resource.authorization_servers.includes(s.issuer), JSON.stringify(resource));
  },
  "a public client": async (s) => whole(s, { client: { client_id: "oidc-public" }, auth: oauth.None() }),
  "a client with a secret": async (s) => whole(s, { client: { client_id: "oidc-secret" }, auth: oauth.ClientSecretBasic(s.secret), introspects: true }),
  "a client with a key": async (s) => whole(s, { client: { client_id: "oidc-key" }, auth: await keyAuth(s, "oidc-key"), introspects: true }),
  "pushed requests": async (s) => whole(s, { client: { client_id: "oidc-pushes" }, auth: await keyAuth(s, "oidc-pushes"), pushed: true }),
  "tokens bound to a key": async (s) => {
    const client = { client_id: "oidc-dpop" };
    await whole(s, { client, auth: oauth.None(), DPoP: await bound(client) });
  },
  "a backend service": async (s) => backend(s, "oidc-backend"),
  "a backend service that must bring the server's nonce": async (s) => backend(s, "oidc-nonce", await bound({ client_id: "oidc-nonce" })),
  "signed answers about tokens": async (s) => {
    const as = await discover(s);
    const who = { client: { client_id: "oidc-secret", introspection_signed_response_alg: as.introspection_signing_alg_values_supported[0] }, auth: oauth.ClientSecretBasic(s.secret) };
    const tokens = await signIn(s, as, who);
    const res = await oauth.introspectionRequest(as, who.client, who.auth, tokens.access_token, { requestJwtResponse: true });
    const seen = await oauth.processIntrospectionResponse(as, who.client, res);
    await oauth.validateApplicationLevelSignature(as, res);
    holds(seen.active, JSON.stringify(seen));
  },
});
