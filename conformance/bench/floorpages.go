package main

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"

	"golang.org/x/crypto/argon2"
)

func (f *floor) introspect(w http.ResponseWriter, r *http.Request) {
	var claims struct {
		ID    string `json:"jti"`
		Scope string `json:"scope"`
		Until int64  `json:"exp"`
	}
	err := f.open(r.PostFormValue("token"), &claims)
	if err == nil && !f.authenticated(r) {
		err = errors.New("unknown client")
	}
	var id []byte
	if err == nil {
		id, err = hex.DecodeString(claims.ID)
	}
	if err == nil {
		err = f.store.Known(r.Context(), id)
	}
	if err != nil {
		fail(w, err)
		return
	}
	answerJSON(w, fmt.Appendf(nil, `{"active":true,"scope":%q,"client_id":%q,"exp":%d}`, claims.Scope, appID, claims.Until))
}

func (f *floor) authorize(w http.ResponseWriter, r *http.Request) {
	id := f.ids.ID()
	if err := f.store.Begin(r.Context(), id, r.URL.RawQuery); err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("Location", "/flow/"+id)
	w.WriteHeader(http.StatusSeeOther)
}

// consentPage is a form as small as one can be.
const consentPage = `<!doctype html><form method="post"><input type="hidden" name="csrf" value="%s"><input type="hidden" name="handle" value="%s">` +
	`<input type="checkbox" name="keep" value="on"><button name="decision" value="allow">Allow</button><button name="decision" value="deny">Deny</button></form>`

func (f *floor) page(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if err := f.store.Pending(r.Context(), id); err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, consentPage, id, id) //nolint:gosec // an id that the floor made, to the driver alone
}

func (f *floor) decide(w http.ResponseWriter, r *http.Request) {
	code := f.ids.Secret()
	sum := sha256.Sum256([]byte(code))
	if r.PostFormValue("decision") != "allow" {
		fail(w, errors.New("denied"))
		return
	}
	if err := f.store.Decide(r.Context(), r.PathValue("id"), sum[:]); err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("Location", appRedirect+"?code="+code)
	w.WriteHeader(http.StatusSeeOther)
}

func (f *floor) signInPage(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprint(w, `<!doctype html><form method="post"><input type="hidden" name="csrf" value="x">`+
		`<input name="username"><input type="password" name="password"><button>Sign in</button></form>`)
}

// signIn is one Argon2id and one commit.
func (f *floor) signIn(w http.ResponseWriter, r *http.Request) {
	if subtle.ConstantTimeCompare(f.hash(r.PostFormValue("password")), f.password) != 1 {
		fail(w, errors.New("wrong password"))
		return
	}
	session := f.ids.Secret()
	sum := sha256.Sum256([]byte(session))
	if err := f.store.Seed(r.Context(), sum[:]); err != nil {
		fail(w, err)
		return
	}
	//nolint:gosec // plain HTTP on loopback: a Secure cookie would not come back
	http.SetCookie(w, &http.Cookie{Name: "session", Value: session, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	w.Header().Set("Location", "/")
	w.WriteHeader(http.StatusSeeOther)
}

// hash is one Argon2id, as many at a time as there are processors: more would
// only use memory.
func (f *floor) hash(password string) []byte {
	f.slots <- struct{}{}
	defer func() { <-f.slots }()
	return argon2.IDKey([]byte(password), f.salt, argonPasses, argonKiB, 1, argonBytes)
}
