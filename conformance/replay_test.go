package conformance_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/conformance"
	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/internal/testpg"
)

// ended is one kind of revocation: what revokes it after the backup, over HTTP
// or by a command on the stopped server's store, and what shows that it stays
// revoked after a restore.
type ended struct {
	kind    string
	http    func(t *testing.T, r *replaying)
	command func(t *testing.T, r *replaying)
	// stays gives what is wrong, "" when it is revoked; it must find fault with
	// the server before the revocation. Nil: only commands see it.
	stays func(t *testing.T, r *replaying) string
}

// replaying is a server that loses what was revoked after its backup.
type replaying struct {
	*keeper
	store  []string
	target *conformance.Target
	// Grants, one for each way to end one, and one that stands.
	grant, family, token, standing *kit.Grant
	// old is the refresh token from which family came.
	old, cookies, kid string
}

// cli runs a command on the store.
func (r *replaying) cli(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	at := len(args)
	if i := slices.Index(args, "--"); i >= 0 {
		at = i
	}
	cmd := exec.CommandContext(t.Context(), shared.binary, slices.Insert(args, at, r.store...)...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out)
}

// client registers a service under a secret.
func (r *replaying) client(t *testing.T, id, secret string) {
	t.Helper()
	file := filepath.Join(r.dir, id+".json")
	text := fmt.Sprintf(`[{"client_id":%q,"kind":"symmetric","client_secret":%q,"client_name":"Robot","scopes":"system/Patient.rs","client_credentials_by_secret":true}]`, id, secret)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r.cli(t, "", "client", "add", file)
}

// asks gives the status of a client's token request.
func (r *replaying) asks(t *testing.T, id, secret string) int {
	t.Helper()
	res, err := r.target.Do(t.Context(), kit.Request{
		URL: r.target.Issuer + "/token", Form: url.Values{"grant_type": {"client_credentials"}, "scope": {"system/Patient.rs"}},
		Basic: &[2]string{id, secret},
	})
	if err != nil {
		t.Fatal(err)
	}
	return res.Status
}

// grantID gives the grant that an access token names.
func grantID(t *testing.T, g *kit.Grant) string {
	t.Helper()
	var claims struct {
		Grant string `json:"grant"`
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(g.Access(), ".")[1])
	if err == nil {
		err = json.Unmarshal(raw, &claims)
	}
	if err != nil || claims.Grant == "" {
		t.Fatal("no grant in a token:", err)
	}
	return claims.Grant
}

// grantRevoked reports whether the operator's list shows a grant as revoked.
func (r *replaying) grantRevoked(t *testing.T, g *kit.Grant) string {
	t.Helper()
	var list struct {
		Grants []struct {
			ID      string `json:"id"`
			Revoked string `json:"revoked"`
		} `json:"grants"`
	}
	id := grantID(t, g)
	if err := json.Unmarshal(r.admin(t, r.target, http.MethodGet, "/grants?patient=rosa").Body, &list); err != nil {
		t.Fatal(err)
	}
	for _, v := range list.Grants {
		if v.ID == id && v.Revoked != "" {
			return ""
		}
	}
	return fmt.Sprintf("grant %q is not revoked among %d", id, len(list.Grants))
}

// text gives the answer to a GET.
func (r *replaying) text(t *testing.T, address string, header http.Header) string {
	t.Helper()
	res, err := r.target.Do(t.Context(), kit.Request{Method: http.MethodGet, URL: address, Header: header})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(res.Status, " ", string(res.Body))
}

const endedRelation = `{"resourceType":"RelatedPerson","id":"rosa-elena","active":false,"patient":{"reference":"Patient/rosa"},
	"relationship":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-RoleCode","code":"DAUC"}]}],"name":[{"family":"Delgado","given":["Elena"]}]}`

// SG-09: every kind of revocation that can be done over HTTP or by a command.
//
// long: each row is one kind.
func endings() []ended {
	wrong := func(bad bool, text string) string {
		if bad {
			return text
		}
		return ""
	}
	return []ended{
		{kind: "grant", http: func(t *testing.T, r *replaying) {
			if res := r.admin(t, r.target, http.MethodPost, "/grants/"+grantID(t, r.grant)+"/revoke"); res.Status >= 300 {
				t.Fatal(res)
			}
		}, stays: func(t *testing.T, r *replaying) string { return r.grantRevoked(t, r.grant) }},
		{kind: "token family", http: func(t *testing.T, r *replaying) {
			if res, err := r.target.Refresh(t.Context(), r.target.Client("public"), r.old, ""); err != nil || res.Status != http.StatusBadRequest {
				t.Fatal("a spent refresh token:", res, err)
			}
		}, stays: func(t *testing.T, r *replaying) string { return r.grantRevoked(t, r.family) }},
		{kind: "access token", http: func(t *testing.T, r *replaying) {
			if res, err := r.target.RevokeToken(t.Context(), r.target.Client("public"), r.token.Access()); err != nil || res.Status != http.StatusOK {
				t.Fatal(res, err)
			}
		}, stays: func(t *testing.T, r *replaying) string {
			res, err := r.target.FHIR(t.Context(), r.token.Access(), "Patient/rosa")
			return wrong(err != nil || res.Status != http.StatusUnauthorized, "the token is honoured")
		}},
		{kind: "consent", http: func(t *testing.T, r *replaying) {
			if res := r.admin(t, r.target, http.MethodPost, "/consents/e1-daughter-meds-appts/withdraw"); res.Status != http.StatusOK {
				t.Fatal(res)
			}
		}, stays: func(t *testing.T, r *replaying) string {
			text := string(r.admin(t, r.target, http.MethodGet, "/consents?patient=rosa").Body)
			return wrong(!strings.Contains(text, `"status":"inactive"`), text)
		}},
		{kind: "session", http: func(t *testing.T, r *replaying) {
			if err := r.target.Browser("rosa").SignOut(t.Context(), r.target.Issuer+"/home"); err != nil {
				t.Fatal(err)
			}
		}, stays: func(t *testing.T, r *replaying) string {
			home := r.text(t, r.target.Issuer+"/home", http.Header{"Cookie": {r.cookies}})
			return wrong(strings.Contains(home, "/signout"), "the log-in is back")
		}},
		{kind: "relation", http: func(t *testing.T, r *replaying) {
			res, err := r.target.Do(t.Context(), kit.Request{
				Method: http.MethodPut, URL: r.target.AdminAPI.URL + "/related-persons/rosa-elena", Bearer: r.target.AdminAPI.Token,
				Header: http.Header{"If-Match": {`W/"1"`}}, Body: strings.NewReader(endedRelation), Type: "application/fhir+json",
			})
			if err != nil || res.Status != http.StatusOK {
				t.Fatal(res, err)
			}
		}, stays: func(t *testing.T, r *replaying) string {
			g, err := r.target.Launch(t.Context(), kit.Launch{
				Client: r.target.Client("public"), Scope: "launch/patient patient/RelatedPerson.rs", Visit: kit.Visit{Person: "rosa"},
			})
			if err != nil {
				t.Fatal(err)
			}
			res, err := r.target.FHIR(t.Context(), g.Access(), "RelatedPerson/rosa-elena")
			return wrong(err != nil || !strings.Contains(strings.ReplaceAll(string(res.Body), " ", ""), `"active":false`), fmt.Sprint(res, err))
		}},
		{kind: "client", command: func(t *testing.T, r *replaying) { r.client(t, "robot", "second-secret-of-the-robot-0123456789") },
			stays: func(t *testing.T, r *replaying) string {
				return wrong(r.asks(t, "robot", "first-secret-of-the-robot-0123456789") != http.StatusUnauthorized, "a secret that was replaced is taken")
			}},
		{kind: "signing key", command: func(t *testing.T, r *replaying) { r.cli(t, "", "keys", "retire", "--", r.kid) },
			stays: func(t *testing.T, r *replaying) string {
				keys := r.text(t, r.target.Config.JWKSURI, nil)
				return wrong(!strings.Contains(keys, `"kid"`) || strings.Contains(keys, r.kid), keys)
			}},
		{kind: "tenant", command: func(t *testing.T, r *replaying) { r.cli(t, "", "tenant", "disable", "clinic") },
			stays: func(t *testing.T, r *replaying) string {
				text := r.text(t, r.target.Issuer+"/t/clinic/fhir/.well-known/smart-configuration", nil)
				return wrong(strings.HasPrefix(text, "200"), text)
			}},
		{kind: "operator role", command: func(t *testing.T, r *replaying) {
			r.cli(t, "", "operator", "revoke", "ada", "auditor", "--tenant", "clinic")
		}},
		{kind: "erasure", command: func(t *testing.T, r *replaying) { r.cli(t, "", "keys", "shred", "--patient", "joaquin", "--yes") },
			stays: func(t *testing.T, r *replaying) string {
				text := string(r.admin(t, r.target, http.MethodGet, "/consents?patient=joaquin").Body)
				return wrong(strings.Contains(text, "provision"), text)
			}},
	}
}

// SG-09: of a store that was restored from a backup that is older than each kind
// of revocation, nothing that was revoked is alive; and what was not revoked is.
// CPA TR-42.
func TestNothingRevokedComesBack(t *testing.T) {
	for name, places := range map[string]func(k *keeper) (from, to string){
		"embedded": func(k *keeper) (string, string) { return filepath.Join(k.dir, "from"), filepath.Join(k.dir, "to") },
		"postgres": func(*keeper) (string, string) { return testpg.Start(t), testpg.Start(t) },
	} {
		t.Run(name, func(t *testing.T) {
			k := newKeeper(t, "replay-"+name)
			from, to := places(k)
			t.Setenv("MANDATE_BACKUP_KEY_FILE", k.writer)
			t.Setenv("MANDATE_BACKUP_REVOCATION_JOURNAL", k.journal)
			r := &replaying{keeper: k, store: append(storeAt(from), "--keys", k.kek)}
			r.furnish(t, from)
			works(t, append([]string{"backup", "--to", k.backups, "--backup-key", k.writer}, r.store...)...)
			all := endings()
			for _, e := range all {
				if e.stays != nil && e.stays(t, r) == "" {
					t.Errorf("%s: looks revoked before it is", e.kind)
				}
			}
			r.revoke(t, all)
			refused(t, "would come back", k.restore(to)...)
			out := works(t, k.restore(to, "--revocation-journal", k.journal)...)
			for _, says := range []string{"revoked again: ", "lost an operator role again"} {
				if !strings.Contains(out, says) {
					t.Errorf("the restore says nothing of %q: %s", says, out)
				}
			}
			r.store = append(storeAt(to), "--keys", k.kek)
			if out := r.cli(t, "", "operator", "list", "--tenant", "clinic"); strings.Contains(out, "ada") || !strings.Contains(out, "bob") {
				t.Errorf("operators after the restore: %s", out)
			}
			r.target = k.serve(t, "after", to, "--unsafe-clock-offset", k.tenMinutes(t))
			for _, e := range all {
				if e.stays == nil {
					continue
				}
				if fault := e.stays(t, r); fault != "" {
					t.Errorf("%s: it came back: %s", e.kind, fault)
				}
			}
			if fault := r.grantRevoked(t, r.standing); fault == "" {
				t.Error("a grant that nobody revoked has ended")
			}
			if status := r.asks(t, "steady", "secret-of-the-steady-one-0123456789"); status != http.StatusOK {
				t.Errorf("a client that nobody touched is answered %d", status)
			}
		})
	}
}

// furnish makes one of everything before the backup.
func (r *replaying) furnish(t *testing.T, from string) {
	t.Helper()
	r.target = r.serve(t, "first", from)
	r.kill(t, r.server)
	r.cli(t, "", "tenant", "add", "clinic", "--name", "Clinic", "--upstream", "https://fhir.example/r4")
	for _, name := range []string{"ada", "bob"} {
		r.cli(t, "a-long-password-of-"+name+"\n", "account", "add", "--tenant", "clinic", "--username", name, "--name", name, "--role", "admin")
	}
	r.cli(t, "", "operator", "assign", "ada", "auditor", "--tenant", "clinic")
	r.cli(t, "", "operator", "assign", "bob", "key-custodian", "--tenant", "clinic")
	r.client(t, "robot", "first-secret-of-the-robot-0123456789")
	r.client(t, "steady", "secret-of-the-steady-one-0123456789")
	r.target = r.serve(t, "before", from)
	target := r.target
	r.grant, r.family, r.token, r.standing = r.launch(t, target, "rosa"), r.launch(t, target, "rosa"), r.launch(t, target, "rosa"), r.launch(t, target, "rosa")
	r.kid = kid(t, r.token.Access())
	r.cookies = target.Browser("rosa").Cookies(target.Issuer + "/home")
	r.old = r.family.RefreshToken()
	next := r.old
	for range 2 {
		res, err := target.Refresh(t.Context(), target.Client("public"), next, "")
		if err != nil || res.Status != http.StatusOK {
			t.Fatal(res, err)
		}
		next = res.Text("refresh_token")
	}
}

// revoke ends everything and kills the server in between.
func (r *replaying) revoke(t *testing.T, all []ended) {
	t.Helper()
	for _, e := range all {
		if e.http != nil {
			e.http(t, r)
		}
	}
	r.kill(t, r.server)
	for _, e := range all {
		if e.command != nil {
			e.command(t, r)
		}
	}
	journal := r.written(t)
	kinds := []string{"grant", "token", "session", "client", "consent", "relation", "signing-key", "erasure", "tenant", "operator"}
	kinds = slices.DeleteFunc(kinds, func(k string) bool { return strings.Contains(journal, `"kind":"`+k+`"`) })
	if len(kinds) > 0 {
		t.Errorf("the journal lacks %v", kinds)
	}
}
