package constraint

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"slices"
	"strings"
)

// attributes are the short names of RFC 4514 §3, and that of e-mail addresses
// which certificates often have.
var attributes = map[string]string{
	"2.5.4.3": "CN", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.6": "C", "2.5.4.9": "STREET",
	"0.9.2342.19200300.100.1.25": "DC", "0.9.2342.19200300.100.1.1": "UID", "2.5.4.5": "SERIALNUMBER",
	"1.2.840.113549.1.9.1": "EMAILADDRESS",
}

// ValidDN reports whether a text is a distinguished name that can be compared.
func ValidDN(text string) bool {
	_, ok := readDN(text)
	return ok
}

// sameDN reports whether a text in the form of RFC 4514 names the subject of a
// certificate.
func sameDN(text string, subject []byte) bool {
	told, ok := readDN(text)
	if !ok {
		return false
	}
	var rdns pkix.RDNSequence
	if rest, err := asn1.Unmarshal(subject, &rdns); err != nil || len(rest) > 0 {
		return false
	}
	var own [][]string
	for _, rdn := range slices.Backward(rdns) {
		var parts []string
		for _, a := range rdn {
			value, isText := a.Value.(string)
			if !isText {
				return false
			}
			parts = append(parts, attribute(a.Type.String())+"="+value)
		}
		slices.Sort(parts)
		own = append(own, parts)
	}
	return slices.EqualFunc(own, told, slices.Equal[[]string])
}

func attribute(name string) string {
	name = strings.ToUpper(strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(name), "OID."), "oid."))
	if short, known := attributes[name]; known {
		return short
	}
	if name == "E" || name == "EMAIL" {
		return "EMAILADDRESS"
	}
	return name
}

// readDN reads a name as its parts, the most specific first, the values of one
// part in order.
func readDN(text string) (out [][]string, ok bool) {
	for _, rdn := range split(text, ",;") {
		var parts []string
		for _, pair := range split(rdn, "+") {
			name, value, found := strings.Cut(pair, "=")
			if name = attribute(name); !found || name == "" {
				return nil, false
			}
			if value, ok = unescape(strings.TrimLeft(value, " ")); !ok || value == "" {
				return nil, false
			}
			parts = append(parts, name+"="+value)
		}
		slices.Sort(parts)
		out = append(out, parts)
	}
	return out, len(out) > 0
}

// split cuts at separators that are not escaped.
func split(text, separators string) (out []string) {
	begin := 0
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\':
			i++
		case strings.IndexByte(separators, text[i]) >= 0:
			out, begin = append(out, text[begin:i]), i+1
		}
	}
	return append(out, text[begin:])
}

// unescape reads a value of RFC 4514 §2.4. Values in hexadecimal form are not
// taken.
func unescape(text string) (string, bool) {
	if strings.HasPrefix(text, "#") {
		return "", false
	}
	var b strings.Builder
	end := 0
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			if b.WriteByte(text[i]); text[i] != ' ' {
				end = b.Len()
			}
			continue
		}
		if i++; i >= len(text) {
			return "", false
		}
		if raw, err := hex.DecodeString(text[i:min(i+2, len(text))]); err == nil && len(raw) == 1 {
			b.WriteByte(raw[0])
			i++
		} else {
			b.WriteByte(text[i])
		}
		end = b.Len()
	}
	return b.String()[:end], true
}
