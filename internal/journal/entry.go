package journal

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"
)

// Kind is what was revoked.
type Kind string

// The kinds.
const (
	// Grant: the grant Subject has ended.
	Grant Kind = "grant"
	// Token: the access token with the jti Subject is refused until Until.
	Token Kind = "token"
	// Session: the session with the hash Subject has ended.
	Session Kind = "session"
	// Client: the client Subject was disabled, or its tokens were ended.
	Client Kind = "client"
	// Person: the account Subject was disabled.
	Person Kind = "person"
	// Factor: the factor Subject was replaced by another value.
	Factor Kind = "factor"
	// Consent: the Consent Subject has the version Version, which may allow
	// less than the one before.
	Consent Kind = "consent"
	// Relation: the RelatedPerson Subject has the version Version, which may
	// have ended.
	Relation Kind = "relation"
	// SigningKey: the signing key Subject was retired and verifies only, or with
	// the status Removed does nothing any more.
	SigningKey Kind = "signing-key"
	// Erasure: every data key of Subject, a patient, was destroyed; of the
	// whole tenant when Subject is empty.
	Erasure Kind = "erasure"
	// Tenant: the tenant Subject was disabled.
	Tenant Kind = "tenant"
	// Operator: the account Subject does not hold the role Class any more.
	Operator Kind = "operator"
	// Delegation: the client Class does not act under the grant Subject any more.
	Delegation Kind = "delegation"
)

// Removed is the status of what is not there any more.
const Removed = "removed"

// Entry is one revocation.
type Entry struct {
	ID      string `json:"id"`
	Tenant  string `json:"tenant"`
	Kind    Kind   `json:"kind"`
	Subject string `json:"subject"`
	// Version is the version after the change (Consent, Relation).
	Version int `json:"version,omitempty"`
	// Patient is the logical id of the patient (Consent).
	Patient string `json:"patient,omitempty"`
	// Status and Class are Consent.status and what the Consent is for Mandate;
	// of an operator Class is the role, of a delegation the client.
	Status string `json:"status,omitempty"`
	Class  string `json:"class,omitempty"`
	// Until is when a revoked token would have ended anyway.
	Until time.Time `json:"until,omitzero"`
	// At is when it was revoked.
	At time.Time `json:"at"`
}

// Head is how far a segment has come: its last line and the sum over all.
type Head struct {
	Segment string `json:"segment"`
	Line    int64  `json:"line"`
	Sum     string `json:"sum"`
	// At is the time of that line.
	At time.Time `json:"at"`
}

// line is one line of a segment. Exactly one of the three last is set.
type line struct {
	N  int64     `json:"n"`
	At time.Time `json:"t"`
	// Before is the sum up to the line before.
	Before string `json:"before,omitempty"`
	// Start opens a segment and names the heads of the others.
	Start *start `json:"start,omitempty"`
	// Entry is a revocation.
	Entry *Entry `json:"revoked,omitempty"`
	// Mark is "beat" or "end".
	Mark string `json:"mark,omitempty"`
}

type start struct {
	Segment string `json:"segment"`
	Others  []Head `json:"others,omitempty"`
}

const (
	beat = "beat"
	end  = "end"
)

// sum gives the sum over the lines of a segment up to this one, which holds the
// sum before it.
func sum(text string) string {
	s := sha256.Sum256([]byte("mandate-journal/1\n" + text))
	return base64.RawURLEncoding.EncodeToString(s[:])
}

// sign gives the stored form of a line and the sum up to it.
func sign(key ed25519.PrivateKey, l line) (text, after string, err error) {
	value, err := json.Marshal(l)
	if err != nil {
		return "", "", err
	}
	after = sum(string(value))
	return string(value) + "\t" + base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, []byte(after))) + "\n", after, nil
}

// read checks a stored line, without its end of line.
func read(key ed25519.PublicKey, text string) (l line, after string, ok bool) {
	value, signature, _ := strings.Cut(text, "\t")
	s, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil {
		return l, "", false
	}
	after = sum(value)
	if !ed25519.Verify(key, []byte(after), s) || json.Unmarshal([]byte(value), &l) != nil {
		return l, "", false
	}
	return l, after, true
}
