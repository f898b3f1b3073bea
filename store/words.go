package store

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

// The short form of a text: a byte that says which form follows, or the length
// of the words. Ids, digests and addresses take the bytes that they stand for;
// everything else is spelled with textWords.
const (
	formLong    = 0xF0 + iota // the length as a varint, then words
	formID                    // 32 lower-case hexadecimal digits
	formHash                  // 64 of them
	formConsent               // Consent/ID/_history/VERSION, the version in one byte
	formIPv4
	formIPv6
	formSecret // 43 characters of base64url
)

// wordByte is the byte of the first of textWords; wordEscape comes before a
// byte that is none.
const (
	wordByte   = 0x80
	wordEscape = 0xFF
)

// textWords are what the texts of audit events are full of. Its order may never
// change, nor anything but its end: what was written with it cannot be read with
// another one. There is room for 127.
func textWords() []string {
	return []string{
		"token.issued", "token.refused", "token.introspected", "token.revoked", "token.replayed", "grant.created", "grant.revoked",
		"login.succeeded", "login.failed", "authorize.refused", "authorize.requested", "decision.permit", "decision.deny",
		"fhir.read", "fhir.search", "fhir.write", "fhir.refused", "fhir.operation", "audit.read", "launch.registered", "launch.used",
		"consent.filed", "consent.withdrawn", "logout", "operator.acted", "person.saved", "client.registered", "stepup.succeeded",
		"grant_type", "authorization_code", "refresh_token", "client_credentials", "method", "private_key_jwt", "client_secret_basic",
		"client_secret_post", "none", "scopes", "scope", "explained", "amr", "pwd", "otp", "previous_session", "username_hash",
		"self", "designated-proxy", "personal-representative", "practitioner", "staff", "system", "PATRQT", "FAMRQT", "TREAT",
		"openid", "fhirUser", "offline_access", "online_access", "launch/", "launch", "patient/", "user/", "system/", "profile",
		".rs", ".read", ".write", ".cruds", ".*", "?category=", "http://terminology.hl7.org/CodeSystem/observation-category|",
		"http://hl7.org/fhir/us/core/CodeSystem/us-core-category|", "laboratory", "vital-signs", "social-history",
		"Patient/", "RelatedPerson/", "Practitioner/", "Organization/", "Consent/", "/_history/", "Device/", "Person/",
		"Patient", "Observation", "Condition", "MedicationRequest", "AllergyIntolerance", "Immunization", "Procedure", "Encounter",
		"DiagnosticReport", "DocumentReference", "CarePlan", "CareTeam", "Goal", "Practitioner", "Organization", "Location", "Device",
		"RelatedPerson", "Consent", "AuditEvent", "Provenance", "Medication", "Questionnaire", "ServiceRequest", "Coverage",
		"https://", "http://", "urn:", "category=", "_count=", "patient=", "code=", "date=",
		"code-", "token-", "refresh-", "session-", "consent-", "scope-", "client-", "-expired", "-unknown",
	}
}

// wordsByFirst gives the codes of the words that begin with each byte, the
// longest first.
var wordsByFirst = func() (by [256][]byte) {
	words := textWords()
	for i, w := range words {
		codes := by[w[0]]
		at := 0
		for at < len(codes) && len(words[codes[at]-wordByte]) >= len(w) {
			at++
		}
		by[w[0]] = append(codes[:at:at], append([]byte{byte(wordByte + i)}, codes[at:]...)...)
	}
	return by
}()

var wordList = textWords()

// spell appends a text in words.
func spell(b []byte, s string) []byte {
next:
	for len(s) > 0 {
		for _, code := range wordsByFirst[s[0]] {
			if w := wordList[code-wordByte]; strings.HasPrefix(s, w) {
				b, s = append(b, code), s[len(w):]
				continue next
			}
		}
		if s[0] >= wordByte {
			b = append(b, wordEscape)
		}
		b, s = append(b, s[0]), s[1:]
	}
	return b
}

// unspell gives the text again.
func unspell(b []byte) (string, error) {
	var out []byte
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c < wordByte:
			out = append(out, c)
		case c == wordEscape && i+1 < len(b):
			i++
			out = append(out, b[i])
		case int(c-wordByte) < len(wordList):
			out = append(out, wordList[c-wordByte]...)
		default:
			return "", errShortForm
		}
	}
	return string(out), nil
}

var errShortForm = errors.New("store: a value is not in the short form")

// shorten appends the short form of a text.
func shorten(b []byte, s string) []byte {
	switch {
	case len(s) == 32 && isHex(s):
		return appendHex(append(b, formID), s)
	case len(s) == 64 && isHex(s):
		return appendHex(append(b, formHash), s)
	case len(s) == 43:
		if raw, err := base64.RawURLEncoding.Strict().DecodeString(s); err == nil && len(raw) == 32 {
			return append(append(b, formSecret), raw...)
		}
	case len(s) > 8 && strings.HasPrefix(s, "Consent/"):
		if short := shortConsent(b, s); short != nil {
			return short
		}
	case len(s) >= 2 && len(s) <= 39 && (s[0] >= '0' && s[0] <= '9' || strings.IndexByte(s, ':') >= 0):
		if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" && a.String() == s {
			form := byte(formIPv6)
			if a.Is4() {
				form = formIPv4
			}
			return append(append(b, form), a.AsSlice()...)
		}
	}
	at := len(b)
	b = spell(append(b, 0), s)
	n := len(b) - at - 1
	if n < formLong {
		b[at] = byte(n)
		return b
	}
	words := append([]byte(nil), b[at+1:]...)
	return append(binary.AppendUvarint(append(b[:at], formLong), uint64(n)), words...)
}

// shortenAll appends the number of texts and each of them.
func shortenAll(b []byte, all []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(all)))
	for _, s := range all {
		b = shorten(b, s)
	}
	return b
}

// shortConsent is shorten for the reference of a version, nil for another text.
func shortConsent(b []byte, s string) []byte {
	id, version, ok := strings.Cut(s[len("Consent/"):], "/_history/")
	n, err := strconv.ParseUint(version, 10, 8)
	if !ok || err != nil || len(id) != 32 || !isHex(id) || strconv.FormatUint(n, 10) != version {
		return nil
	}
	return append(appendHex(append(b, formConsent), id), byte(n))
}

// isHex reports whether a text is lower-case hexadecimal digits.
func isHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// appendHex appends the bytes that hexadecimal digits stand for.
func appendHex(b []byte, s string) []byte {
	b, _ = hex.AppendDecode(b, []byte(s)) // they were looked at before
	return b
}

// shortReader reads short forms one after the other. Behind the end, and after
// a fault, everything is empty.
type shortReader struct {
	b   []byte
	err error
}

// take gives the next n bytes.
func (r *shortReader) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.b, r.err = nil, errShortForm
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

// number reads a varint.
func (r *shortReader) number() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.b, r.err = nil, errShortForm
		return 0
	}
	r.b = r.b[n:]
	return v
}

// signed reads a signed varint.
func (r *shortReader) signed() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.b, r.err = nil, errShortForm
		return 0
	}
	r.b = r.b[n:]
	return v
}

// texts reads what shortenAll wrote.
func (r *shortReader) texts() []string {
	n := r.number()
	if n > uint64(len(r.b)) { // each takes a byte at least
		r.b, r.err = nil, errShortForm
		return nil
	}
	out := make([]string, n)
	for i := range out {
		out[i] = r.text()
	}
	return out
}

// text reads what shorten wrote.
func (r *shortReader) text() string {
	if len(r.b) == 0 {
		return ""
	}
	form := r.take(1)[0]
	n := uint64(form)
	switch form {
	case formID:
		return hex.EncodeToString(r.take(16))
	case formHash:
		return hex.EncodeToString(r.take(32))
	case formSecret:
		return base64.RawURLEncoding.EncodeToString(r.take(32))
	case formConsent:
		if raw := r.take(17); raw != nil {
			return "Consent/" + hex.EncodeToString(raw[:16]) + "/_history/" + strconv.Itoa(int(raw[16]))
		}
		return ""
	case formIPv4, formIPv6:
		size := uint64(4)
		if form == formIPv6 {
			size = 16
		}
		if a, ok := netip.AddrFromSlice(r.take(size)); ok {
			return a.String()
		}
		return ""
	case formLong:
		n = r.number()
	default:
		if form > formLong {
			r.b, r.err = nil, errShortForm
			return ""
		}
	}
	s, err := unspell(r.take(n))
	if err != nil {
		r.b, r.err = nil, err
	}
	return s
}
