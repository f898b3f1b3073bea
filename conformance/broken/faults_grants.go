package broken

import (
	"net/http"
	"net/url"
)

// grantFaults break what goes beyond SMART: handing tokens on, devices, signed
// answers.
func grantFaults() []Fault {
	const exchange = "urn:ietf:params:oauth:grant-type:token-exchange"
	handing := func(change func(url.Values)) func(*http.Request) {
		return tokenForm(func(f url.Values) {
			if f.Get("grant_type") == exchange {
				change(f)
			}
		})
	}
	return []Fault{
		{Name: "who acts is not told", response: at("/introspect", object(drop("act"))), Rows: []string{"MANDATE TX-01"}},
		{Name: "the type of an exchanged token is missing", response: tokenMember(drop("issued_token_type")), Rows: []string{"MANDATE TX-01"}},
		{Name: "the target is not looked at", request: handing(func(f url.Values) {
			f.Del("audience")
			f.Del("resource")
		}), Rows: []string{"MANDATE TX-03"}},
		{Name: "devices may ask as often as they like", response: at("/token", object(func(d map[string]any) {
			if d["error"] == "slow_down" {
				d["error"] = "authorization_pending"
			}
		})), Rows: []string{"MANDATE DEV-04"}},
		{Name: "user codes that are words", response: at("/device_authorization", object(set("user_code", "HELLO-YOU"))), Rows: []string{"MANDATE DEV-01"}},
		{Name: "signed answers are not signed", request: func(r *http.Request) {
			if r.URL.Path == "/introspect" {
				r.Header.Del("Accept")
			}
		}, Rows: []string{"MANDATE INT-12"}},
	}
}
