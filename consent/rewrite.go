package consent

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
)

// member is one member of a JSON object, its value untouched.
type member struct {
	key   string
	value json.RawMessage
}

// members takes an object apart without changing order or values, so that a
// stored version differs from what was filed only where Mandate says so.
func members(raw []byte) ([]member, error) {
	bad := func(cause error) error {
		return errs.Wrap(cause, errs.Invalid, "consent-not-json", "The Consent is not a well-formed JSON object.")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, bad(err)
	}
	var out []member
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, bad(err)
		}
		name, ok := key.(string)
		var value json.RawMessage
		if err := d.Decode(&value); err != nil || !ok {
			return nil, bad(err)
		}
		out = append(out, member{name, value})
	}
	if _, err := d.Token(); err != nil {
		return nil, bad(err)
	}
	return out, nil
}

func join(ms []member) ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range ms {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(quoted(m.key))
		b.WriteByte(':')
		b.Write(m.value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// quoted gives s as a JSON string. Encoding a string cannot fail.
func quoted(s string) json.RawMessage {
	b, err := json.Marshal(s)
	if err != nil {
		return json.RawMessage(`""`)
	}
	return b
}

// set replaces a member's value, or adds it behind the member named after.
func set(ms []member, key string, value json.RawMessage, after string) []member {
	at := 0
	for i, m := range ms {
		if m.key == key {
			ms[i].value = value
			return ms
		}
		if m.key == after {
			at = i + 1
		}
	}
	ms = append(ms, member{})
	copy(ms[at+1:], ms[at:])
	ms[at] = member{key, value}
	return ms
}

// stamp gives the resource with the id and the version that it is stored
// under, and another status where status is not empty.
func stamp(raw []byte, id string, version int, at time.Time, status string) ([]byte, error) {
	ms, err := members(raw)
	if err != nil {
		return nil, err
	}
	var meta []member
	for _, m := range ms {
		if m.key == "meta" {
			if meta, err = members(m.value); err != nil {
				return nil, err
			}
		}
	}
	meta = set(meta, "lastUpdated", quoted(at.UTC().Format("2006-01-02T15:04:05.000Z")), "")
	meta = set(meta, "versionId", quoted(strconv.Itoa(version)), "")
	packed, err := join(meta)
	if err != nil {
		return nil, err
	}
	ms = set(ms, "id", quoted(id), "resourceType")
	ms = set(ms, "meta", packed, "id")
	if status != "" {
		ms = set(ms, "status", quoted(status), "meta")
	}
	return join(ms)
}
