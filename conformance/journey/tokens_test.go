package journey

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// keepTokens lets a story see what the token endpoint answered to the app,
// which keeps it in variables only.
const keepTokens = `(() => {
	const real = window.fetch;
	window.journeyTokens = [];
	window.fetch = async (url, options) => {
		const answer = await real(url, options);
		if (new URL(url).pathname === '/token' && answer.ok) window.journeyTokens.push(await answer.clone().json());
		return answer;
	};
})()`

// tokens is one answer of the token endpoint.
type tokens struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	ExpiresIn    int    `json:"expires_in"`
	Scope        string `json:"scope"`
	IDToken      string `json:"id_token"`
}

// tokens gives the newest tokens of the app.
func (a app) tokens() tokens {
	a.t.Helper()
	all := eval[[]tokens](a.tab, "window.journeyTokens")
	if len(all) == 0 {
		a.t.Fatal("the app got no token")
	}
	return all[len(all)-1]
}

// idToken gives the claims of the newest id_token.
func (a app) idToken() map[string]any {
	a.t.Helper()
	parts := strings.Split(a.tokens().IDToken, ".")
	if len(parts) != 3 {
		a.t.Fatal("the app got no id_token")
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	claims := map[string]any{}
	if err == nil {
		err = json.Unmarshal(raw, &claims)
	}
	if err != nil {
		a.t.Fatal(err)
	}
	return claims
}

// fetchAll counts all matches of a search by following its pages, as an app
// would.
func (w *world) fetchAll(token, kind, query string) int {
	w.t.Helper()
	n := 0
	next := w.ready.FHIRBase + "/" + kind + "?" + query + "&_count=200"
	for next != "" {
		var bundle struct {
			Entry []struct {
				Resource struct {
					Type string `json:"resourceType"`
				} `json:"resource"`
			} `json:"entry"`
			Link []struct {
				Relation string `json:"relation"`
				URL      string `json:"url"`
			} `json:"link"`
		}
		status, body := w.get(next, token)
		if status != http.StatusOK {
			w.t.Fatalf("%s: %d %s", next, status, body)
		}
		if err := json.Unmarshal(body, &bundle); err != nil {
			w.t.Fatal(err)
		}
		for _, e := range bundle.Entry {
			if e.Resource.Type == kind {
				n++
			}
		}
		next = ""
		for _, l := range bundle.Link {
			if l.Relation == "next" {
				next = l.URL
			}
		}
	}
	return n
}

// get asks with a bearer token.
func (w *world) get(address, token string) (int, []byte) {
	w.t.Helper()
	r, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Accept", "application/fhir+json, application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, body
}
