package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// sessionName is the cookie of somebody who signed in at the floor.
const sessionName = "session"

var (
	errNobody  = errors.New("nobody is signed in")
	errRequest = errors.New("not a request of the app")
)

func hashOf(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// whose gives the hash of the session of a request, which the store asks for.
func whose(r *http.Request) ([]byte, error) {
	c, err := r.Cookie(sessionName)
	if err != nil {
		return nil, errNobody
	}
	return hashOf(c.Value), nil
}

// authorize checks an authorization request (RFC 6749 §4.1.1, RFC 7636) and keeps
// it.
func (f *floor) authorize(w http.ResponseWriter, r *http.Request) {
	id, q := f.ids.ID(), r.URL.Query()
	session, err := whose(r)
	if err == nil && (!known(q.Get("client_id")) || q.Get("redirect_uri") != appRedirect || q.Get("response_type") != "code" ||
		q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") == "" || q.Get("state") == "") {
		err = errRequest
	}
	if err == nil {
		err = f.store.Begin(r.Context(), session, id, r.URL.RawQuery)
	}
	if err != nil {
		fail(w, err)
		return
	}
	redirect(w, r, "/flow/"+id)
}

// redirect leads on as RFC 9700 §4.2.4 asks.
func redirect(w http.ResponseWriter, r *http.Request, to string) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// formToken binds a form to a session and a request.
func (f *floor) formToken(session []byte, id string) string {
	m := hmac.New(sha256.New, f.formKey)
	m.Write(session)
	m.Write([]byte(id))
	return b64.EncodeToString(m.Sum(nil))
}

// page is the consent page: the one of the server that is measured, in which what
// belongs to the request is put in its place.
func (f *floor) page(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	session, err := whose(r)
	if err == nil {
		_, err = f.store.Pending(r.Context(), session, id)
	}
	if err != nil {
		fail(w, err)
		return
	}
	var body bytes.Buffer
	csrf := f.formToken(session, id)
	for i, part := range f.consent {
		if i > 0 {
			body.WriteString([]string{csrf, id}[part.value])
		}
		body.WriteString(part.text)
	}
	for name, value := range f.pageHeader {
		w.Header().Set(name, value)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
	_, _ = w.Write(body.Bytes())
}

// decide takes the consent form.
func (f *floor) decide(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	session, err := whose(r)
	if err == nil && subtle.ConstantTimeCompare([]byte(r.PostFormValue("csrf")), []byte(f.formToken(session, id))) != 1 {
		err = errRequest
	}
	if err == nil && r.PostFormValue("answer") != "allow" {
		err = errors.New("denied")
	}
	code, params := f.ids.Secret(), ""
	if err == nil {
		params, err = f.store.Decide(r.Context(), session, id, hashOf(code))
	}
	q, bad := url.ParseQuery(params)
	if err = errors.Join(err, bad); err != nil {
		fail(w, err)
		return
	}
	redirect(w, r, q.Get("redirect_uri")+"?"+url.Values{"code": {code}, "state": {q.Get("state")}, "iss": {"http://floor"}}.Encode())
}

// proven reports whether a code is redeemed by who asked for it (RFC 7636 §4.6).
func proven(form, asked url.Values) bool {
	sum := sha256.Sum256([]byte(form.Get("code_verifier")))
	return subtle.ConstantTimeCompare([]byte(b64.EncodeToString(sum[:])), []byte(asked.Get("code_challenge"))) == 1 &&
		form.Get("redirect_uri") == asked.Get("redirect_uri")
}

// pagePart is text of the consent page and what stands in front of it: 0 the form
// token, 1 the handle.
type pagePart struct {
	text  string
	value int
}

// pageParts cuts a page where its form token and handle stand.
func pageParts(page, csrf, handle string) []pagePart {
	if csrf == "" || handle == "" {
		return []pagePart{{text: page}}
	}
	var parts []pagePart
	for _, outer := range strings.Split(page, csrf) {
		for i, text := range strings.Split(outer, handle) {
			parts = append(parts, pagePart{text, min(i, 1)})
		}
	}
	return parts
}
