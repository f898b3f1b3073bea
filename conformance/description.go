package conformance

// Description explains the file that describes a server under test.
const Description = `A server is described by one JSON file. Only fhir_base is needed; each further
member lets more checks run. Use clients and people that exist for tests alone.

fhir_base             FHIR base URL; its SMART configuration is read from there
ca_file               PEM file with the authority of the server's certificate
clients               registered clients:
  client_id
  kind                public, symmetric (a secret), asymmetric (a key, signs
                      people in) or backend (a key, acts for itself)
  client_secret       of a symmetric client
  private_jwks        of the others: a private JWK Set with kid and alg (RS384,
                      ES384); register its public half with the server
  redirect_uris       registered redirect URIs; nothing needs to answer there
  launch_uris         registered launch URLs, for EHR launches
  scopes              what the client may ask
  patient_group       of a service: id of the Group to whose members it is bound
  authorization_details_types
                      of an app: ["smart_on_fhir"] where its answers carry them
  token_exchange      true for one that acts with tokens of other clients
  device_authorization
                      true for a device without keyboard (RFC 8628)
  may_act             of an app: ids of the clients that may act with its tokens
people                accounts:
  username, password
  totp_secret         base32 secret, where the account has a second factor
  role                patient, proxy, clinician or admin
  fhir_user           such as Patient/1
  patients            ids of the patients whose records the person may share
key_host              host:port of this machine where the server fetches the keys
                      of the client whose jwks_uri lies there; the checks
                      publish them
document_host         host:port of this machine whose documents the server takes
                      as descriptions of clients (client-ID metadata documents);
                      the checks publish them
udap_ca               an authority whose members the server trusts as UDAP
                      clients: community, certificate and private_key in PEM
                      (PKCS#8), crl_refresh in seconds
tenants               further FHIR bases of the same server: id, issuer, fhir_base
launch_api            where an EHR registers launch contexts: url, client_id
admin_api             the administration API of Mandate: url, token
upstream_fhir_base    the FHIR server behind, without security, to compare with
clock                 route that moves the server's time (mandate dev only)

The pages of the server are walked as a browser without scripts would: a form
with a password field, then with a field named code, patient or encounter, and a
form that has one button to allow and one to deny.

Example:

{
  "fhir_base": "https://ehr.example/fhir",
  "clients": [
    {"client_id": "test-public", "kind": "public", "redirect_uris": ["https://app.example/callback"],
     "scopes": "openid fhirUser launch/patient offline_access patient/*.rs"},
    {"client_id": "test-confidential", "kind": "symmetric", "client_secret": "…", "redirect_uris": ["https://app.example/callback"]},
    {"client_id": "test-backend", "kind": "backend", "private_jwks": {"keys": ["…"]}, "scopes": "system/*.rs"}
  ],
  "people": [
    {"username": "test-patient", "password": "…", "role": "patient", "fhir_user": "Patient/1", "patients": ["1"]}
  ]
}
`
