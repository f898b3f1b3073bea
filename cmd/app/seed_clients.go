package app

import (
	"context"
	"encoding/base64"
	"encoding/json"

	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/keys/devkeys"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/registration"
	"github.com/mandate-health/mandate/store"
)

// appScopes is the ceiling of an ordinary app: whatever a person allows.
const appScopes = "openid fhirUser profile launch launch/patient launch/encounter offline_access online_access patient/*.cruds user/*.cruds"

// backendScopes is the ceiling of a demonstration backend service.
const backendScopes = "system/*.cruds"

// demoClients are the clients of the demonstration. Their secrets and keys
// are made once per store and kept there, so that they stay the same between
// runs.
func demoClients(ctx context.Context, st *store.Store, tenant, demo string, src ids.Source) ([]clientFile, error) {
	seed, err := st.Secret(ctx, tenant, "demo-client-secrets", func() []byte { return src.Bytes(32) })
	if err != nil {
		return nil, err
	}
	secret := func(id string) string {
		return base64.RawURLEncoding.EncodeToString(ids.Hasher{Key: seed}.Sum("demo", id))
	}
	asymmetric, err := demoKeys(ctx, st, tenant, "demo-asymmetric")
	if err != nil {
		return nil, err
	}
	backend, err := demoKeys(ctx, st, tenant, "demo-backend")
	if err != nil {
		return nil, err
	}
	redirects := []string{demo + "/app/callback", "http://127.0.0.1/callback"}
	launches := []string{demo + "/app/launch"}
	app := func(id string, kind oauth.ClientKind, name, publisher string) clientFile {
		return clientFile{Entry: registration.Entry{ID: id, Kind: kind, Metadata: registration.Metadata{Name: name, Publisher: publisher}}}
	}
	diary := app("demo-app", oauth.ClientPublic, "Heart Diary", "Example Labs")
	diary.PolicyURI, diary.RedirectURIs, diary.LaunchURIs = "https://heart-diary.example/privacy", redirects, launches
	diary.PostLogoutRedirectURIs = []string{demo + "/app/"}
	diary.AppStateCodes = []string{"https://heart-diary.example|preferences", "https://heart-diary.example|keys"}
	planner := app("demo-symmetric", oauth.ClientSymmetric, "Care Planner", "Example Clinic Tools")
	planner.ClientSecret, planner.RedirectURIs, planner.LaunchURIs, planner.Introspect = secret("demo-symmetric"), redirects[:1], launches, true
	planner.AppStateReadCodes = diary.AppStateCodes[:1]
	planner.AppStateCodes, planner.AppStateGlobal = []string{"https://planner.example|site"}, true
	lens := app("demo-asymmetric", oauth.ClientAsymmetric, "Lab Lens", "Example Analytics")
	lens.JWKS, lens.PrivateJWKS, lens.RedirectURIs, lens.LaunchURIs = asymmetric.Public, asymmetric.Private, redirects[:1], launches
	export := app("demo-backend", oauth.ClientBackend, "Night Export", "Lakeside Palliative")
	export.JWKS, export.PrivateJWKS, export.Scope = backend.Public, backend.Private, backendScopes
	ehr := app("demo-ehr", oauth.ClientSymmetric, "Lakeside EHR", "Lakeside Palliative")
	ehr.EvaluateAccess = true
	ehr.ClientSecret, ehr.RegisterLaunch, ehr.Introspect, ehr.Scope = secret("demo-ehr"), true, true, appScopes
	ehr.IntrospectConsents = true
	scribe := app("demo-agent", oauth.ClientSymmetric, "Visit Scribe", "Example Agents")
	scribe.ClientSecret, scribe.TokenExchange, scribe.Scope = secret("demo-agent"), true, "patient/*.rs"
	bedside := app("demo-bedside", oauth.ClientPublic, "Bedside Screen", "Lakeside Palliative")
	bedside.DeviceFlow = true
	diary.MayAct = []string{scribe.ID}
	return []clientFile{diary, planner, lens, export, ehr, scribe, bedside}, nil
}

func demoKeys(ctx context.Context, st *store.Store, tenant, name string) (devkeys.Pair, error) {
	var made error
	raw, err := st.Secret(ctx, tenant, "demo-keys-"+name, func() []byte {
		p, err := devkeys.Make(name)
		if err != nil {
			made = err
			return nil
		}
		b, err := json.Marshal(p)
		made = err
		return b
	})
	if err == nil {
		err = made
	}
	if err != nil {
		return devkeys.Pair{}, err
	}
	var p devkeys.Pair
	err = json.Unmarshal(raw, &p)
	return p, err
}
