package registration_test

import (
	"testing"

	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/registration"
)

// FAPI 2.0 §5.3.2.1, §5.4: the preset sets what is open and refuses what
// contradicts it; without it nothing changes.
func TestProfile(t *testing.T) {
	keys := certifiedKeys(t)
	p384, _ := keySet(t, "k1")
	held := func(bend func(e *registration.Entry)) registration.Entry {
		e := app()
		e.AuthMethod, e.JWKS, e.Profile = "private_key_jwt", keys, oauth.ProfileFAPI2
		if bend != nil {
			bend(&e)
		}
		return e
	}
	c, faults := registration.Rules{}.Check(held(nil))
	if len(faults) > 0 || !c.RequirePushed || !c.DPoPBound || c.CertificateBound || c.IDTokenAlg != "ES256" || c.IntrospectionAlg != "ES256" {
		t.Errorf("%v %+v", faults, c)
	}
	if !c.Signs("PS256") || !c.Signs("ES256") || c.Signs("RS384") || c.Signs("ES384") {
		t.Error("the algorithms of assertions")
	}
	if again, faults := (registration.Rules{}).Check(registration.Of(c)); len(faults) > 0 || !again.FAPI2() {
		t.Errorf("it cannot be registered as it is shown: %v", faults)
	}
	c, faults = registration.Rules{}.Check(held(func(e *registration.Entry) { e.AuthMethod = oauth.MethodTLSOfSelf }))
	if len(faults) > 0 || c.DPoPBound || !c.CertificateBound {
		t.Errorf("by certificate: %v %+v", faults, c)
	}
	for member, bend := range map[string]func(e *registration.Entry){
		"token_endpoint_auth_method":        func(e *registration.Entry) { e.AuthMethod, e.JWKS = "none", nil },
		"token_endpoint_auth_signing_alg":   func(e *registration.Entry) { e.AuthAlg = "RS384" },
		"request_object_signing_alg":        func(e *registration.Entry) { e.RequestObjectAlg = "RS384" },
		"id_token_signed_response_alg":      func(e *registration.Entry) { e.IDTokenAlg = "RS256" },
		"introspection_signed_response_alg": func(e *registration.Entry) { e.IntrospectionAlg = "RS256" },
		"device_authorization":              func(e *registration.Entry) { e.DeviceFlow = true },
		"security_profile":                  func(e *registration.Entry) { e.Profile = "fapi1" },
		"jwks":                              func(e *registration.Entry) { e.JWKS = p384 },
	} {
		_, faults := registration.Rules{}.Check(held(bend))
		found := false
		for _, f := range faults {
			found = found || f.Member == member
		}
		if !found {
			t.Errorf("%s: %v", member, faults)
		}
	}
	if plain, _ := (registration.Rules{}).Check(app()); plain.RequirePushed || plain.DPoPBound || plain.IDTokenAlg != "" || plain.Contradictions() != nil {
		t.Errorf("without a profile: %+v", plain)
	}
}
