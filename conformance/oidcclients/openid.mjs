// The stories of openid-client. Usage: node openid.mjs SETUP.json
import * as client from "openid-client";
import { holds, key, refused, same, tell, visit } from "./stories.mjs";

const scope = "openid fhirUser launch/patient offline_access patient/Patient.rs patient/Observation.rs";

async function discover(s, id, auth) {
  return client.discovery(new URL(s.issuer), id, undefined, auth);
}

// signIn walks the code flow with everything that the library can check.
async function signIn(s, config, { pushed = false, handle } = {}) {
  const verifier = client.randomPKCECodeVerifier();
  const [state, nonce] = [client.randomState(), client.randomNonce()];
  const asked = {
    redirect_uri: s.redirect, scope, state, nonce, aud: s.fhir,
    code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256",
  };
  const dpop = handle ? { DPoP: handle } : undefined;
  const url = pushed ? await client.buildAuthorizationUrlWithPAR(config, asked, dpop) : client.buildAuthorizationUrl(config, asked);
  const back = await visit(url);
  const checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true };
  const tokens = await client.authorizationCodeGrant(config, back, checks, undefined, dpop);
  const claims = tokens.claims();
  holds(claims.sub && claims.fhirUser.endsWith("Patient/rosa"), `fhirUser is ${claims.fhirUser}`);
  same(tokens.patient, "rosa", "the patient");
  holds(tokens.expiresIn() > 0 && tokens.refresh_token, "no life or no refresh token");
  same(tokens.token_type, handle ? "dpop" : "bearer", "the type of the token");
  return tokens;
}

async function read(s, config, token, handle) {
  const dpop = handle ? { DPoP: handle } : undefined;
  const res = await client.fetchProtectedResource(config, token, new URL(`${s.fhir}/Patient/rosa`), "GET", undefined, undefined, dpop);
  same(res.status, 200, "the status of the Patient");
  same((await res.json()).id, "rosa", "the Patient's id");
}

// whole is a visit from the sign-in to the revocation.
async function whole(s, config, options = {}) {
  const { handle } = options;
  const dpop = handle ? { DPoP: handle } : undefined;
  const tokens = await signIn(s, config, options);
  await read(s, config, tokens.access_token, handle);
  const next = await client.refreshTokenGrant(config, tokens.refresh_token, undefined, dpop);
  holds(next.access_token !== tokens.access_token && next.refresh_token !== tokens.refresh_token, "the refresh gave the same tokens");
  await read(s, config, next.access_token, handle);
  if (options.introspects) {
    const seen = await client.tokenIntrospection(config, next.access_token);
    holds(seen.active && seen.patient === "rosa" && seen.client_id === config.clientMetadata().client_id, JSON.stringify(seen));
  }
  await client.tokenRevocation(config, next.refresh_token);
  await refused(client.refreshTokenGrant(config, next.refresh_token, undefined, dpop), "invalid_grant");
  if (options.introspects) same((await client.tokenIntrospection(config, next.access_token)).active, false, "active after the revocation");
}

const keyAuth = async (s, name) => client.PrivateKeyJwt({ key: await key(s.keys[name]), kid: s.keys[name].kid });

await tell({
  "discovery": async (s) => {
    const config = await discover(s, "oidc-public", client.None());
    const server = config.serverMetadata();
    same(server.issuer, s.issuer, "the issuer");
    holds(server.supportsPKCE("S256"), "no PKCE");
    const plain = await client.discovery(new URL(s.issuer), "oidc-public", undefined, client.None(), { algorithm: "oauth2" });
    same(plain.serverMetadata().token_endpoint, server.token_endpoint, "the token endpoint of RFC 8414");
  },
  "a public client": async (s) => whole(s, await discover(s, "oidc-public", client.None())),
  "a public client with signature checks": async (s) => {
    const config = await discover(s, "oidc-public", client.None());
    client.enableNonRepudiationChecks(config);
    await whole(s, config);
  },
  "a client with a secret in the header": async (s) => whole(s, await discover(s, "oidc-secret", client.ClientSecretBasic(s.secret)), { introspects: true }),
  "a client with a secret in the form": async (s) => whole(s, await discover(s, "oidc-secret", client.ClientSecretPost(s.secret)), { introspects: true }),
  "a client with a key": async (s) => whole(s, await discover(s, "oidc-key", await keyAuth(s, "oidc-key")), { introspects: true }),
  "pushed requests": async (s) => whole(s, await discover(s, "oidc-pushes", await keyAuth(s, "oidc-pushes")), { pushed: true }),
  "tokens bound to a key": async (s) => {
    const config = await discover(s, "oidc-dpop", client.None());
    await whole(s, config, { handle: client.getDPoPHandle(config, await client.randomDPoPKeyPair("ES256")) });
  },
  "pushed requests with tokens bound to a key": async (s) => {
    const config = await discover(s, "oidc-dpop", client.None());
    await whole(s, config, { pushed: true, handle: client.getDPoPHandle(config, await client.randomDPoPKeyPair("ES256")) });
  },
  "a backend service": async (s) => {
    const config = await discover(s, "oidc-backend", await keyAuth(s, "oidc-backend"));
    const tokens = await client.clientCredentialsGrant(config, { scope: "system/Patient.rs" });
    await read(s, config, tokens.access_token);
    await refused(client.clientCredentialsGrant(config, { scope: "patient/Patient.rs" }), "invalid_scope");
  },
  "a backend service that must bring the server's nonce": async (s) => {
    const config = await discover(s, "oidc-nonce", await keyAuth(s, "oidc-nonce"));
    const handle = client.getDPoPHandle(config, await client.randomDPoPKeyPair("ES256"));
    const tokens = await client.clientCredentialsGrant(config, { scope: "system/Patient.rs" }, { DPoP: handle });
    await read(s, config, tokens.access_token, handle);
  },
  "a wrong secret": async (s) => {
    const config = await discover(s, "oidc-secret", client.ClientSecretBasic("wrong"));
    const end = await client.refreshTokenGrant(config, "x").catch((e) => e);
    // A 401 with a challenge is an error of its own for this library.
    same(`${end.code} ${end.status} ${end.cause?.[0]?.scheme}`, "OAUTH_WWW_AUTHENTICATE_CHALLENGE 401 basic", "the refusal");
    const posted = await discover(s, "oidc-secret", client.ClientSecretPost("wrong"));
    await refused(client.refreshTokenGrant(posted, "x"), "invalid_client");
  },
});
