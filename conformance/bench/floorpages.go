package main

import (
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
	if err := f.store.Seed(r.Context(), hashOf(session)); err != nil {
		fail(w, err)
		return
	}
	//nolint:gosec // plain HTTP on loopback: a Secure cookie would not come back
	http.SetCookie(w, &http.Cookie{Name: sessionName, Value: session, HttpOnly: true, SameSite: http.SameSiteLaxMode})
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
