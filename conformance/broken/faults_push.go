package broken

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// pushFaults break pushed and signed authorization requests, and challenges.
func pushFaults() []Fault {
	return []Fault{
		{Name: "a dead request_uri leads back to the app", response: at("/authorize", func(r *http.Response) {
			if r.StatusCode == http.StatusBadRequest && r.Request.URL.Query().Has("request_uri") {
				r.StatusCode = http.StatusFound
				r.Header.Set("Location", "https://app.example/callback?error=invalid_request")
			}
		}), Rows: []string{"MANDATE PAR-02", "MANDATE PAR-06"}},
		{Name: "a pushed request is not judged", response: at("/par", func(r *http.Response) {
			if r.StatusCode == http.StatusBadRequest {
				r.StatusCode = http.StatusCreated
			}
		}), Rows: []string{"MANDATE PAR-03"}},
		{Name: "nobody is told when the person logged in", response: at("/introspect", object(drop("auth_time"))), Rows: []string{"MANDATE STU-02"}},
		{Name: "a request object is read without its signature", request: authorizeQuery(func(q url.Values) {
			parts := strings.Split(q.Get("request"), ".")
			if len(parts) != 3 {
				return
			}
			raw, err := base64.RawURLEncoding.DecodeString(parts[1])
			claims := map[string]any{}
			if err != nil || json.Unmarshal(raw, &claims) != nil {
				return
			}
			q.Del("request")
			for name, value := range claims {
				if text, ok := value.(string); ok && name != "iss" && name != "sub" {
					q.Set(name, text)
				}
			}
			if list, ok := claims["aud"].([]any); ok && len(list) == 2 {
				q.Set("aud", fmt.Sprint(list[1]))
			}
		}), Rows: []string{"MANDATE JAR-02"}},
	}
}
