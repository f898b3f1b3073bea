package app_test

import (
	"net/http"
	"strings"
	"testing"
)

// Operators change one member of a registration, open apps as an EHR does, and
// end what people allowed an app, in the running server; what is asked of a
// client for its security is loosened on purpose only.
func TestOperatorsEditLaunchAndRevoke(t *testing.T) {
	s := start(t, nil)
	at := func(want int, words string, args ...string) string {
		t.Helper()
		code, out, errOut := cli(t, append(args, "--data", s.data)...)
		if code != want || !strings.Contains(out+errOut, words) {
			t.Errorf("%v: %d %s%s", args, code, out, errOut)
		}
		return out
	}
	id := s.Client("symmetric").ID
	g, row := s.connected(t, s.browser("noah"), "noah")
	at(0, `client_name: "Diary", was`, "client", "edit", id, "client_name=Diary", "redirect_uris+=https://x.example/cb")
	at(0, "nothing is different", "client", "edit", id, "client_name=Diary")
	at(0, "true, was -", "client", "edit", id, "require_pushed_authorization_requests=true")
	at(1, "--loosen", "client", "edit", id, "require_pushed_authorization_requests=")
	at(0, "-, was true", "client", "edit", id, "require_pushed_authorization_requests=", "--loosen")
	at(1, "changed meanwhile", "client", "edit", id, "client_name=X", "--if-version", "old")
	for _, wrong := range []string{"client_name", "no_such=1", "client_id=x", "client_name+=x", "redirect_uris-=https://none.example", "step_up=many", "redirect_uris=ht"} {
		at(1, "mandate:", "client", "edit", id, wrong)
	}
	at(0, "launch=", "launch", "register", id, "--patient", "rosa", "--user", "Practitioner/1")
	lines := strings.Split(strings.TrimSpace(at(0, "rosa", "launch", "list")), "\n")
	launch, _, _ := strings.Cut(lines[1], " ")
	at(0, "worth nothing", "launch", "end", launch)
	at(1, "ended before", "launch", "end", launch)
	at(1, "no registered app", "launch", "register", "nobody")

	at(0, row.ID, "grant", "list", "--client", id, "--live")
	at(1, "say --yes", "grant", "revoke", "--client", id)
	at(1, "name one grant", "grant", "revoke")
	at(0, "grants to "+id+" ended", "grant", "revoke", "--client", id, "--yes")
	at(0, "ended-by-operator", "grant", "list", "--patient", "noah")
	s.fetch(t, g.Access(), "Patient/noah", http.StatusUnauthorized)
}
