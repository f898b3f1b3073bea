"""The stories of Authlib. Usage: python3 authlib_stories.py SETUP.json

They are told as those of the npm clients are, see stories.mjs.
"""
import json
import sys
import time

import requests
from authlib.common.security import generate_token
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.jose import JsonWebKey, jwt
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oidc.core import CodeIDToken

SCOPE = "openid fhirUser launch/patient offline_access patient/Patient.rs patient/Observation.rs"


def visit(url):
    print(json.dumps({"visit": url}), flush=True)
    line = sys.stdin.readline()
    if not line:
        raise RuntimeError("nobody follows the redirect")
    return line.strip()


def same(got, want, what):
    if got != want:
        raise AssertionError(f"{what} is {got!r}, not {want!r}")


def refused(call, name):
    try:
        call()
    except OAuthError as e:
        return same(e.error, name, "the refusal")
    raise AssertionError(f"no {name}")


def session(s, client_id, **auth):
    return OAuth2Session(client_id, scope=SCOPE, redirect_uri=s["redirect"], code_challenge_method="S256", **auth)


class ShortAssertion(PrivateKeyJWT):
    """Assertions as SMART wants them: five minutes at most, where the library takes an hour."""

    def sign(self, auth, token_endpoint):
        self.claims = {"exp": int(time.time()) + 240, "jti": generate_token(36)}
        return super().sign(auth, token_endpoint)


def with_key(s, client_id, **more):
    key = s["keys"][client_id]
    method = ShortAssertion(s["server"]["token_endpoint"], headers={"kid": key["kid"]}, alg=key["alg"])
    out = OAuth2Session(client_id, JsonWebKey.import_key(key), token_endpoint_auth_method="private_key_jwt",
                        revocation_endpoint_auth_method="private_key_jwt", **more)
    out.register_client_auth_method(method)
    return out


def identity(s, client, token, nonce):
    keys = JsonWebKey.import_key_set(requests.get(s["server"]["jwks_uri"], timeout=10).json())
    wanted = {"iss": {"essential": True, "value": s["issuer"]}, "aud": {"essential": True, "value": client.client_id}}
    params = {"nonce": nonce, "client_id": client.client_id, "access_token": token["access_token"]}
    claims = jwt.decode(token["id_token"], keys, claims_cls=CodeIDToken, claims_options=wanted, claims_params=params)
    claims.validate(now=int(time.time()))
    if not claims["fhirUser"].endswith("Patient/rosa"):
        raise AssertionError(claims["fhirUser"])


def read(s, client):
    res = client.get(s["fhir"] + "/Patient/rosa")
    same((res.status_code, res.json()["id"]), (200, "rosa"), "the Patient")


def whole(s, client, introspects=False):
    """A visit from the sign-in to the revocation."""
    server, verifier, nonce = s["server"], generate_token(48), generate_token()
    url, state = client.create_authorization_url(server["authorization_endpoint"], code_verifier=verifier, nonce=nonce, aud=s["fhir"])
    token = client.fetch_token(server["token_endpoint"], authorization_response=visit(url), state=state, code_verifier=verifier)
    same(token["patient"], "rosa", "the patient")
    identity(s, client, token, nonce)
    read(s, client)
    fresh = client.refresh_token(server["token_endpoint"], refresh_token=token["refresh_token"])
    if fresh["refresh_token"] == token["refresh_token"]:
        raise AssertionError("the refresh gave the same token")
    read(s, client)
    if introspects:
        seen = client.introspect_token(server["introspection_endpoint"], token=fresh["access_token"]).json()
        same((seen["active"], seen["patient"], seen["client_id"]), (True, "rosa", client.client_id), "introspection")
    same(client.revoke_token(server["revocation_endpoint"], token=fresh["refresh_token"]).status_code, 200, "the revocation")
    refused(lambda: client.refresh_token(server["token_endpoint"], refresh_token=fresh["refresh_token"]), "invalid_grant")


def by_key(s):
    whole(s, with_key(s, "oidc-key", scope=SCOPE, redirect_uri=s["redirect"], code_challenge_method="S256"), introspects=True)


def backend(s):
    client = with_key(s, "oidc-backend", scope="system/Patient.rs")
    client.fetch_token(s["server"]["token_endpoint"], grant_type="client_credentials")
    read(s, client)


def wrong_state(s):
    client, verifier = session(s, "oidc-public", token_endpoint_auth_method="none"), generate_token(48)
    url, _ = client.create_authorization_url(s["server"]["authorization_endpoint"], code_verifier=verifier, aud=s["fhir"])
    back = visit(url)
    refused(lambda: client.fetch_token(s["server"]["token_endpoint"], authorization_response=back, code_verifier="x" * 48), "invalid_grant")


def long_assertion(s):
    client = with_key(s, "oidc-backend", scope="system/Patient.rs")
    client.register_client_auth_method(PrivateKeyJWT(s["server"]["token_endpoint"], alg=s["keys"]["oidc-backend"]["alg"]))
    refused(lambda: client.fetch_token(s["server"]["token_endpoint"], grant_type="client_credentials"), "invalid_client")


STORIES = {
    "a public client": lambda s: whole(s, session(s, "oidc-public", token_endpoint_auth_method="none")),
    "a client with a secret in the header": lambda s: whole(s, session(s, "oidc-secret", client_secret=s["secret"]), introspects=True),
    "a client with a secret in the form": lambda s: whole(
        s, session(s, "oidc-secret", client_secret=s["secret"], token_endpoint_auth_method="client_secret_post"), introspects=True),
    "a client with a key": by_key,
    "a backend service": backend,
    "a backend service whose assertion lives for an hour": long_assertion,
    "a wrong verifier": wrong_state,
}


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        setup = json.load(f)
    setup["server"] = requests.get(setup["issuer"] + "/.well-known/openid-configuration", timeout=10).json()
    for story, run in STORIES.items():
        error = ""
        try:
            run(setup)
        except Exception as e:  # pylint: disable=broad-except; each story ends by itself
            error = f"{type(e).__name__}: {e}"
        print(json.dumps({"story": story, "error": error}), flush=True)


main()
